"""
A caller's rate limit as HTTP: 429 when it is used up, and how much is left on every answer.

The fields are those of draft-ietf-httpapi-ratelimit-headers-10 (27 September 2025): `q` calls
in `w` seconds as the policy, `r` calls left for `t` seconds as the standing. Revision 11 (23 May 2026) is a
draft still; should it become an RFC with other names, this file is where they are written.
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from bg_ingest.access.caller import Caller
    from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, LimitStatus


def count_call(limit: CallerLimit, caller: Caller) -> dict[str, str]:
    """Count this call; the headers for its answer, or the 429 instead."""
    return headers_or_429(limit.policy, limit.take(caller.actor))


def headers_or_429(policy: LimitPolicy, standing: LimitStatus) -> dict[str, str]:
    """The headers for the answer to a call that was counted, or the 429 instead."""
    headers = rate_headers(policy, standing)
    if not standing.accepted:
        raise Problem(
            problems.TOO_MANY_REQUESTS,
            f"At most {policy.calls_max} in {policy.window_s} seconds.",
            headers=headers | {"Retry-After": str(standing.resets_in_s)},
        )
    return headers


def rate_headers(policy: LimitPolicy, standing: LimitStatus) -> dict[str, str]:
    """The policy, and how the caller stands."""
    return {
        "RateLimit-Policy": f'"{policy.name}";q={policy.calls_max};w={policy.window_s}',
        "RateLimit": f'"{policy.name}";r={standing.remaining};t={standing.resets_in_s}',
    }
