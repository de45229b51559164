"""
An answer's status, sorted into the error tree.

    status          Dexcom's failure or limit (TryLater)     ours or the person's
    2xx             -                                        -
    429             Throttled
    401, 403                                                 TokenRejected
    408             Unavailable
    other 4xx                                                RequestRefused
    anything else   Unavailable

The status decides and the body is not looked at: Dexcom has half a dozen shapes for it, and not-JSON.
The token endpoint alone says more in its body; oauth.py reads it.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from bg_ingest.providers.errors import (
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)

if TYPE_CHECKING:
    from datetime import datetime

    import httpx


def host_error_for(response: httpx.Response, what: str, now: datetime) -> TryLater | None:
    """Dexcom's own failure or limit; None if it did answer the question."""
    status = response.status_code
    if 200 <= status < 300 or (400 <= status < 500 and status not in {408, 429}):
        return None
    kind = Throttled if status == 429 else Unavailable
    asked_s = retry_after_s(response.headers.get("retry-after"), now)
    return kind(f"{what}: {status}", retry_after_s=asked_s)


def error_for(response: httpx.Response, what: str, now: datetime) -> ProviderError | None:
    """Why this is not the answer to our question; None if it is."""
    status = response.status_code
    if status in {401, 403}:
        return TokenRejected(f"{what}: {status}")
    failure = host_error_for(response, what, now)
    if failure or status < 400:
        return failure
    return RequestRefused(f"{what}: {status}")


# The Retry-After header (RFC 9110, 10.2.3): seconds, or a date.
# Dexcom's limits are per hour. Whatever asks for more than a day is a mistake we would wait out.
RETRY_AFTER_S_MAX = 86_400.0
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """How long we were asked to wait, 0 or more; None if we were not, or not in so many words."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        date = parsedate_to_datetime(text)
        # "-0000" and a missing zone make it naive; HTTP dates are in GMT.
        at = date if date.tzinfo else date.replace(tzinfo=UTC)
        wait_s = (at - now).total_seconds()
    except (ValueError, OverflowError):  # The latter for a zone that is centuries away.
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)
