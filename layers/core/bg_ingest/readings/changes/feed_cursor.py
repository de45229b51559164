"""The cursor of the feed of changes: what a reader has seen, as an opaque text."""

# A cursor does not hold a time, since a write that is accepted late may carry an early time. It holds
# versions: of each hour of the last two days, and the number of the last entry of the late log. An hour
# with another version than the cursor has a change that the reader has not seen.

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import HOUR

if TYPE_CHECKING:
    from bg_ingest.readings.changes.hour_changes import Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Readers watch the hours up to this far back and ahead: twice the distance from which writers announce. So
# the clocks of writers and readers may differ by a day.
WATCHED = timedelta(hours=48)
CURSOR_LENGTH_MAX = 4_000
_PLAIN_LENGTH_MAX = 64_000
_NUMBER_MAX = 1_000_000_000_000
_HOUR_MAX = 70_000_000  # In the year 9955.


class FeedCursorInvalid(Exception):
    """The text is not a cursor of this user's feed."""


@dataclass(frozen=True, slots=True)
class SeenState:
    """The state of the stored readings up to which a reader has seen all changes."""

    at_s: int  # When the state was read.
    newest_s: int  # The newest `changed_at` that was there.
    late: int = 0  # The last entry of the late log.
    late_id: str = ""
    pending: tuple[int, ...] = ()  # Entries before it whose hours were not all written.
    first_hour: int = 0  # Hours since 1970.
    versions: tuple[int, ...] = ()  # Of this hour and those after it.

    def version(self, start: datetime) -> int:
        """The version of an hour; 0 if it was not there."""
        place = (start - _EPOCH) // HOUR - self.first_hour
        return self.versions[place] if 0 <= place < len(self.versions) else 0

    @property
    def watched_from(self) -> datetime:
        """The first hour whose version is known."""
        return _EPOCH + timedelta(hours=self.first_hour)

    def shortened(self) -> SeenState:
        """The state without the hours that the next reader need not watch."""
        first = max(self.first_hour, hour_number(_EPOCH + timedelta(seconds=self.at_s) - WATCHED))
        return replace(self, first_hour=first, versions=self.versions[first - self.first_hour :])


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """
    Where a reader continues: after `seen`, or at the beginning if that is None.

    Between two pages `until` is the state that the pages lead to, and `last` the place of the last change.
    """

    seen: SeenState | None = None
    since_s: int = 0  # At the beginning, only changes from this time on.
    until: SeenState | None = None
    last: Place | None = None


def hour_number(instant: datetime) -> int:
    """Hours since 1970."""
    return (instant - _EPOCH) // HOUR


def encode_feed_cursor(cursor: FeedCursor, user_id: str) -> str:
    """The cursor as text that needs no escaping in a URL."""
    plain = json.dumps(
        [_digest(user_id), cursor.since_s, _listed(cursor.seen), _listed(cursor.until), cursor.last],
        separators=(",", ":"),
    )
    return urlsafe_b64encode(zlib.compress(plain.encode(), 9)).decode().rstrip("=")


def decode_feed_cursor(text: str, user_id: str) -> FeedCursor:
    """The cursor of a text that was made for this user; FeedCursorInvalid for any other text."""
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        plain = zlib.decompressobj().decompress(packed, _PLAIN_LENGTH_MAX)
        digest, since_s, seen, until, last = json.loads(plain)
        if digest != _digest(user_id):
            raise FeedCursorInvalid("this cursor belongs to another user")
        if last is not None:
            changed_s, at_s, write, number = map(_number, last)
            last = changed_s, at_s, write, number
        return FeedCursor(_state(seen), _number(since_s), _state(until), last)
    except (ValueError, TypeError, LookupError, RecursionError, zlib.error):
        raise FeedCursorInvalid("this text is not a cursor") from None


def _digest(user_id: str) -> str:
    return hashlib.sha256(f"changes/{user_id}".encode()).hexdigest()[:6]


def _listed(state: SeenState | None) -> list[Any] | None:
    if state is None:
        return None
    numbers = [state.at_s, state.newest_s, state.late, state.first_hour]
    return [*numbers, state.late_id, state.pending, state.versions]


def _state(listed: Any) -> SeenState | None:
    if listed is None:
        return None
    at_s, newest_s, late, first_hour, late_id, pending, versions = listed
    if not isinstance(late_id, str) or _number(first_hour) > _HOUR_MAX or _number(at_s) > _HOUR_MAX * 3600:
        raise ValueError("a part of the cursor has another type")
    return SeenState(
        at_s,
        _number(newest_s),
        _number(late),
        late_id,
        tuple(map(_number, pending)),
        first_hour,
        tuple(map(_number, versions)),
    )


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _NUMBER_MAX:
        raise ValueError("a part of the cursor is not a number")
    return value
