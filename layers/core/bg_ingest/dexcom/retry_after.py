"""The Retry-After header (RFC 9110, 10.2.3): seconds, or a date."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

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
