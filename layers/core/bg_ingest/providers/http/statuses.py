"""
Errors for HTTP statuses, and the Retry-After header.

    status          error
    2xx             none
    429             Throttled       (TryLater)
    401, 403        TokenRejected
    408             Unavailable     (TryLater)
    other 4xx       RequestRefused
    all others      Unavailable     (TryLater)

The body does not matter: providers send error bodies of many shapes, also ones that are not JSON.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from bg_ingest.providers.errors import ProviderError, RequestRefused, Throttled, TokenRejected, Unavailable

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

# Limits of providers are per hour. A longer Retry-After than a day is treated as a mistake.
RETRY_AFTER_S_MAX = 86_400.0
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


def error_for(response: httpx.Response, operation: str, now: datetime) -> ProviderError | None:
    """The error that the status stands for; None for success."""
    status = response.status_code
    text = f"{operation}: {status}"
    if 200 <= status < 300:
        return None
    if status in {401, 403}:
        return TokenRejected(text)
    if 400 <= status < 500 and status not in {408, 429}:
        return RequestRefused(text)
    kind = Throttled if status == 429 else Unavailable
    return kind(text, retry_after_s=retry_after_s(response.headers.get("retry-after"), now))


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """The wait that a Retry-After header asks for, in seconds or as a date; None if it is not readable."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        date = parsedate_to_datetime(text)
        # The date is naive if its zone is missing or "-0000". HTTP dates are in GMT.
        at = date if date.tzinfo else date.replace(tzinfo=UTC)
        wait_s = (at - now).total_seconds()
    except (ValueError, OverflowError):  # OverflowError: the zone is centuries away.
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)
