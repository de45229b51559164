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

from typing import TYPE_CHECKING

from bg_ingest.dexcom.errors import (
    DexcomError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)
from bg_ingest.dexcom.retry_after import retry_after_s

if TYPE_CHECKING:
    from datetime import datetime

    import httpx


def trouble(response: httpx.Response, what: str, now: datetime) -> TryLater | None:
    """Dexcom's own failure or limit; None if it did answer the question."""
    status = response.status_code
    if 200 <= status < 300 or (400 <= status < 500 and status not in {408, 429}):
        return None
    kind = Throttled if status == 429 else Unavailable
    asked_s = retry_after_s(response.headers.get("retry-after"), now)
    return kind(f"{what}: {status}", retry_after_s=asked_s)


def refusal(response: httpx.Response, what: str, now: datetime) -> DexcomError | None:
    """Why this is not the answer to our question; None if it is."""
    status = response.status_code
    if status in {401, 403}:
        return TokenRejected(f"{what}: {status}")
    failure = trouble(response, what, now)
    if failure or status < 400:
        return failure
    return RequestRefused(f"{what}: {status}")
