"""The clock, instants as text, and ids that begin with an instant."""

# Only SystemClock reads the time or waits; everything else is handed a Clock.
#
# Texts are in UTC and have two forms. ISO 8601 to the microsecond is what items and messages hold: `to_iso`
# and `from_iso`. RFC 3339 to the second is what callers and consumers see: `rfc_3339`. All three accept None
# and then return None, because many instants are optional: "not finished yet".
#
# An id of a job, an audit entry, a receipt or a quarantined record sorts by the time at which it was made:
#
#   01a1fc7ab409 4b7e02d91c66f3a8
#   |            |
#   |            16 hexadecimal digits: random, or chosen by the caller
#   12 hexadecimal digits: milliseconds since 1970

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol, overload


class Clock(Protocol):
    """What the time is, and a way to wait that tests can take over."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC; it may step."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back; only differences mean something."""
        ...

    def sleep(self, wait_s: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place.

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()  # noqa: TID251 - this is the one place.

    def sleep(self, wait_s: float) -> None:
        """Wait."""
        time.sleep(wait_s)  # noqa: TID251 - this is the one place.


HOUR = timedelta(hours=1)


@overload
def to_iso(instant: datetime) -> str: ...
@overload
def to_iso(instant: datetime | None) -> str | None: ...
def to_iso(instant: datetime | None) -> str | None:
    """ISO 8601 to the microsecond: `2026-11-21T05:01:02.345678+00:00`."""
    return instant.astimezone(UTC).isoformat() if instant else None


@overload
def from_iso(text: str) -> datetime: ...
@overload
def from_iso(text: str | None) -> datetime | None: ...
def from_iso(text: str | None) -> datetime | None:
    """The instant that `to_iso` wrote."""
    return datetime.fromisoformat(text) if text else None


@overload
def rfc_3339(instant: datetime) -> str: ...
@overload
def rfc_3339(instant: datetime | None) -> str | None: ...
def rfc_3339(instant: datetime | None) -> str | None:
    """RFC 3339 to the second: `2026-11-21T05:01:02Z`. A fraction of a second is cut off."""
    # Half the time of strftime.
    return f"{instant.astimezone(UTC).isoformat()[:19]}Z" if instant else None


def hour_of(instant: datetime) -> datetime:
    """The start of the hour that contains the instant."""
    return instant.replace(minute=0, second=0, microsecond=0)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME_DIGITS = 12
_RANDOM_DIGITS = 16
# Hexadecimal digits end at "f", so this text sorts after every id.
AFTER_EVERY_ID = "g"


def new_id(now: datetime, digits: str | None = None) -> str:
    """
    An id made at `now`.

    Two calls give different ids, because the last sixteen digits are random. A caller that needs the same id
    again, for example after a redelivery, passes hexadecimal `digits` of its own; the first sixteen are used.
    """
    ending = secrets.token_hex(_RANDOM_DIGITS // 2) if digits is None else digits[:_RANDOM_DIGITS]
    return f"{(now - _EPOCH) // _MILLISECOND:0{_TIME_DIGITS}x}{ending}"


def made_at_ms(sortable_id: str) -> int:
    """When the id was made, in milliseconds since 1970; ValueError if the text is not such an id."""
    return int(sortable_id[:_TIME_DIGITS], 16)


def made_at(sortable_id: str) -> datetime:
    """When the id was made, to the millisecond; ValueError if the text is not such an id."""
    return _EPOCH + made_at_ms(sortable_id) * _MILLISECOND
