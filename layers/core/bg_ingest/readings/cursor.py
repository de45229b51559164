"""A cursor of a paged range: the instant where the last page ended, as an opaque text."""

# A cursor is an instant, not a position. It stays right while readings are stored before, after, or between
# the pages, because a stored reading never moves. The next page begins right after the last reading that was
# returned.
#
#   oldest first     [start ........ last returned)(next page ........ end)
#   newest first     [start ........ next page)(last returned ........ end)

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CursorInvalid(Exception):
    """The text is not a cursor that `encode` made."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last reading that was returned, and the direction of the pages."""

    last: datetime
    descending: bool = False

    def rest(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """The part of `[start, end)` that comes after this cursor; empty if the cursor is at the end."""
        if self.descending:
            return start, max(start, min(end, self.last))
        # Never past the end: `last` may be the last second that a datetime can hold.
        return max(start, self.last + min(_SECOND, end - self.last)), end


def encode(cursor: Cursor) -> str:
    """The cursor as text that needs no escaping in a URL."""
    direction = "d" if cursor.descending else "a"
    text = f"{direction}{(cursor.last - _EPOCH) // _SECOND}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """The cursor of a text that `encode` made; CursorInvalid for any other text."""
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        cursor = Cursor(_EPOCH + _SECOND * int(plain[1:]), descending=plain[:1] == "d")
    except (ValueError, OverflowError):
        raise CursorInvalid("this text is not a cursor") from None
    # Each cursor has exactly one text, so texts can be compared.
    if encode(cursor) != text:
        raise CursorInvalid("this text is not a cursor")
    return cursor
