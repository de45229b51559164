"""
Headers of a limit per caller, and the 429 of a call above it.

The fields are those of draft-ietf-httpapi-ratelimit-headers-10: the policy allows `q` calls in `w` seconds,
and `r` calls are left for the next `t` seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from bg_ingest.access.caller_limits import LimitPolicy, LimitStatus


def rate_headers(policy: LimitPolicy, status: LimitStatus) -> dict[str, str]:
    """Return the rate-limit headers of a call that was counted."""
    return {
        "RateLimit-Policy": f'"{policy.name}";q={policy.calls_max};w={policy.window_s}',
        "RateLimit": f'"{policy.name}";r={status.remaining};t={status.resets_in_s}',
    }


def too_many_requests(policy: LimitPolicy, status: LimitStatus) -> Problem:
    """Return the 429 of a call that exceeds its limit."""
    return Problem(
        problems.TOO_MANY_REQUESTS,
        f"At most {policy.calls_max} requests in {policy.window_s} seconds. Retry after `Retry-After`"
        " seconds.",
        headers=rate_headers(policy, status) | {"Retry-After": str(status.resets_in_s)},
    )


def headers_or_429(policy: LimitPolicy, status: LimitStatus) -> dict[str, str]:
    """Return the rate-limit headers of a call that was counted; raise 429 if it exceeds the limit."""
    if not status.accepted:
        raise too_many_requests(policy, status)
    return rate_headers(policy, status)
