"""Where a caller stopped reading: an instant and a direction, as text that means nothing to them."""

# A cursor is an instant and not a position, so it stays right while readings arrive in front of it, behind
# it, or between: the next page begins right after the last reading that was handed out. It works because
# no reading ever moves.
#
#   oldest first     [start ........ last handed out)(next page ..... end)
#   newest first     [start ..... next page)(last handed out ........ end)

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CursorInvalid(Exception):
    """Not a cursor this service has given out."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last reading that was handed out, and which way the reading goes."""

    last: datetime
    descending: bool = False

    def rest(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """What is left of `[start, end)`; empty when the cursor has passed it."""
        if self.descending:
            return start, max(start, min(end, self.last))
        # Never past the end, after which the calendar may have no second.
        return max(start, self.last + min(SECOND, end - self.last)), end


def encode(cursor: Cursor) -> str:
    """The cursor as text that needs no escaping in a URL."""
    direction = "d" if cursor.descending else "a"
    text = f"{direction}{(cursor.last - EPOCH) // SECOND}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """The cursor back; CursorInvalid for whatever `encode` has not made."""
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        cursor = Cursor(EPOCH + SECOND * int(plain[1:]), descending=plain[:1] == "d")
    except (ValueError, OverflowError):
        raise CursorInvalid("not a cursor of ours") from None
    # There is one spelling of each cursor: caches and logs may compare them.
    if encode(cursor) != text:
        raise CursorInvalid("not a cursor of ours")
    return cursor
