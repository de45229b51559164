from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.clock import AFTER_EVERY_ID, from_iso, hour_of, made_at, new_id, rfc_3339, to_iso

INSTANT = datetime(2026, 11, 21, 5, 1, 2, 345678, tzinfo=UTC)
ELSEWHERE = INSTANT.astimezone(timezone(timedelta(hours=-7)))


def test_instants_are_written_in_utc() -> None:
    """An instant in another time zone gives the same texts."""
    assert to_iso(INSTANT) == to_iso(ELSEWHERE) == "2026-11-21T05:01:02.345678+00:00"
    assert rfc_3339(INSTANT) == rfc_3339(ELSEWHERE) == "2026-11-21T05:01:02Z"


def test_a_written_instant_is_read_back() -> None:
    """To the microsecond."""
    assert from_iso(to_iso(ELSEWHERE)) == INSTANT


def test_a_missing_instant_stays_missing() -> None:
    """None in, None out; a missing text is None or empty."""
    assert (to_iso(None), from_iso(None), rfc_3339(None)) == (None, None, None)


def test_the_hour_of_an_instant() -> None:
    """The full hour before it, or the instant itself if it is a full hour."""
    assert hour_of(INSTANT) == datetime(2026, 11, 21, 5, tzinfo=UTC)
    assert hour_of(hour_of(INSTANT)) == hour_of(INSTANT)


NOW = datetime(2026, 11, 21, 5, 1, 2, 345678, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def test_an_id_has_twenty_eight_hexadecimal_digits() -> None:
    """Twelve of them are the time; the ids of the first release have the same form."""
    assert new_id(NOW, "4b7e02d91c66f3a8ffff") == "01a1fc7ab4094b7e02d91c66f3a8"
    assert int(new_id(NOW), 16) > 0
    assert len(new_id(NOW)) == 28


def test_two_ids_of_one_millisecond_differ() -> None:
    """The other sixteen digits are random."""
    assert new_id(NOW) != new_id(NOW)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone.
def test_ids_sort_by_time(now: datetime) -> None:
    """A later id is the greater text, and every id is less than AFTER_EVERY_ID."""
    assert new_id(now) < new_id(now + MILLISECOND) < AFTER_EVERY_ID


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone.
def test_made_at_returns_the_time_of_an_id(now: datetime) -> None:
    """To the millisecond, rounded down."""
    assert timedelta(0) <= now - made_at(new_id(now)) < MILLISECOND


@pytest.mark.parametrize("text", ["", "not an id"])
def test_made_at_rejects_other_texts(text: str) -> None:
    """A text without the twelve digits is a ValueError."""
    with pytest.raises(ValueError, match="invalid literal"):
        made_at(text)
