from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from bg_ingest.utc import from_iso, hour_of, rfc_3339, to_iso

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
