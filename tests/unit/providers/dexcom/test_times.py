from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.client import with_zone, without_zone
from bg_ingest.providers.dexcom.responses import instant_of, local_offset_minutes

AT = datetime(2026, 2, 6, 9, 12, 35, tzinfo=UTC)
SECONDS = st.datetimes(min_value=datetime(2010, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001 - hypothesis adds the zone.
    lambda wall: wall.replace(microsecond=0, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-02-06T09:12:35Z", AT),
        ("2026-02-06T09:12:35.438Z", AT),
        ("2026-02-06T09:12:35.999999999Z", AT),
        ("2026-02-06T09:12:35", AT),
        ("2026-02-06T09:12:35+00:00", AT),
        ("2026-02-06T09:12:35-00:00", AT),
        ("2026-02-06T02:13:35-06:59:59", AT + timedelta(minutes=1)),
        ("2026-02-06T02:13:35-06:59:30", AT + timedelta(minutes=1)),
        ("2026-02-06T02:13:35-06:59:29", AT),
        ("2026-02-06T14:57:35+05:45", AT),
        ("2026-02-06T14:57:35+0545", AT),
        ("2026-02-06t09:12:35z", AT),
        ("2026-02-06 09:12:35 Z", AT),
        ("2021-02-03T14:15Z", datetime(2021, 2, 3, 14, 15, tzinfo=UTC)),
        ("2021-02-03T14:15", datetime(2021, 2, 3, 14, 15, tzinfo=UTC)),
    ],
)
def test_observed_format_is_parsed(text: str, instant: datetime) -> None:
    """Every format that Dexcom and its devices use is parsed; a fraction of a second is cut off."""
    assert instant_of(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-02-30T09:12:35Z",
        "2026-02-06T24:00:00Z",
        "2026-02-06T09:12:60Z",
        "2026-02-06",
        "2026-02-06T09:12:35Zulu",
        "٢٠٢٦-02-06T09:12:35Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-02-06T09:12:35Z\n",
        1770369155,
        None,
        True,
        ["2026-02-06T09:12:35Z"],
    ],
)
def test_other_value_gives_none(text: object) -> None:
    """An incomplete or impossible instant gives None."""
    assert instant_of(text) is None


@pytest.mark.parametrize(
    ("display", "minutes"),
    [
        ("2026-02-06T01:12:35-08:00", -480),
        ("2026-02-06T01:12:35", -480),
        ("2026-02-06T01:12:35Z", -480),
        ("2026-02-06T14:57:35+05:45", 345),
        ("2026-02-06T02:12:35-06:59:59", -420),
        ("2026-02-06T09:19:00Z", 0),
        ("2026-02-06T09:20:05", 15),
        ("2026-02-06T23:12Z", 840),
        ("2026-02-05T21:12:35", -720),
        ("2026-02-05T20:57:35", None),
        ("2026-02-05T20:00:00", None),
        ("2026-02-06T23:30:00", None),
        ("2019-01-01T00:00:00", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_local_offset_is_that_of_the_wall_clock(display: object, minutes: int | None) -> None:
    """The offset is rounded to a quarter hour, and is None if no place has such an offset."""
    assert local_offset_minutes(AT, display) == minutes


@given(SECONDS)
def test_formatted_instant_is_parsed_again(instant: datetime) -> None:
    """Both formats of a query parameter are parsed to the same instant."""
    assert instant_of(with_zone(instant)) == instant
    assert instant_of(without_zone(instant)) == instant


@given(SECONDS, st.integers(-12 * 4, 14 * 4), st.integers(-449, 449))
def test_clock_drift_does_not_change_the_offset(system: datetime, quarters: int, drift_s: int) -> None:
    """A wall clock that is up to seven minutes off gives the right offset."""
    display = without_zone(system + timedelta(minutes=15 * quarters, seconds=drift_s))

    assert local_offset_minutes(system, display) == 15 * quarters


@given(
    st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d(:\d\d)?)?", fullmatch=True)
)
def test_no_string_raises(text: str) -> None:
    """For any string the result is an instant or None."""
    instant = instant_of(text)

    assert instant is None or instant.utcoffset() == timedelta(0)
    assert local_offset_minutes(AT, text) in {None, *range(-720, 841, 15)}
