from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.statistics.as_json import statistics_json
from bg_ingest.statistics.summary import compared_statistics, period_before, statistics
from tests.unit.statistics.by_definition import Reading, statistics_by_definition
from tests.unit.statistics.closeness import disagreements
from tests.unit.statistics.made_up import (
    AUTUMN,
    BERLIN,
    DAY,
    LONG_AFTER,
    SPRING,
    Offsets,
    every_five_minutes,
    full_days,
    readings_of_a_person,
    series_of,
)

FIRST = date(2026, 3, 26)
COUNTS_AND_TEXTS = ("from", "to", "as_of", "method", "version", "readings", "low_readings", "high_readings")


def answer(readings: list[Reading], first: date, last: date, now: datetime = LONG_AFTER) -> dict[str, Any]:
    """The figures as the API answers them."""
    return statistics_json(statistics(series_of(readings), first, last, now), as_of=None, version="1.2.3")


def figures(readings: list[Reading], first: date, last: date, now: datetime = LONG_AFTER) -> dict[str, Any]:
    """The same without what says how and when it was made."""
    whole = answer(readings, first, last, now)
    return {name: whole[name] for name in whole if name not in ("as_of", "method", "version")}


@given(
    readings_of_a_person(),
    st.integers(0, 4),
    st.integers(1, 16),
    st.sampled_from([LONG_AFTER, datetime(2026, 3, 29, 9, 7, 31, 500_000, tzinfo=UTC)]),
)
def test_every_figure_equals_its_definition(
    readings: list[Reading], skipped: int, days: int, now: datetime
) -> None:
    """Each figure equals a slow calculation from its definition to 1e-9, for any readings."""
    first, last = FIRST + skipped * DAY, FIRST + (skipped + days - 1) * DAY

    theirs = statistics_by_definition(readings, first, last, now)

    assert disagreements(figures(readings, first, last, now), theirs) == []


@given(readings_of_a_person(), st.integers(1, 8))
def test_the_period_before_is_as_long_and_adjacent(readings: list[Reading], days: int) -> None:
    """The comparison is what the period before would have been answered by itself."""
    first, last = SPRING, SPRING + (days - 1) * DAY

    whole = statistics_json(
        compared_statistics(series_of(readings), first, last, LONG_AFTER), as_of=None, version="1.2.3"
    )

    before = answer(readings, first - days * DAY, first - DAY)
    assert whole["previous"] == {name: before[name] for name in before if name not in ("by_day", "previous")}
    assert whole | {"previous": None} == answer(readings, first, last)


def test_without_readings_figures_are_null() -> None:
    """No figure is 0 where nothing was measured; counts are 0."""
    whole = answer([], FIRST, FIRST + 13 * DAY)

    nothing = {"value": None, "pairs": 0}
    band = {"percent": None, "minutes": None}
    episode = {"count": None, "mean_minutes": None}
    assert {name: whole[name] for name in ("readings", "low_readings", "high_readings")} == {
        "readings": 0,
        "low_readings": 0,
        "high_readings": 0,
    }
    assert whole["slots"] == {"expected": 14 * 288, "received": 0}
    assert (whole["active_percent"], whole["sufficient"], whole["reasons"]) == (0, False, ["0.0 % of 70 %"])
    assert whole["bands"] == dict.fromkeys(("very_low", "low", "target", "high", "very_high"), band)
    assert whole["gri"] == dict.fromkeys(("value", "hypo", "hyper", "zone"))
    assert whole["adrr"] == {"value": None, "days": 0}
    assert whole["modd_mg_dl"] == nothing
    assert whole["conga_mg_dl"] == dict.fromkeys(("1h", "2h", "4h", "24h"), nothing)
    assert whole["episodes"] == dict.fromkeys(("below_70", "below_54", "above_180", "above_250"), episode)
    assert whole["by_day"][0] == {
        "date": "2026-03-26",
        "expected": 288,
        "received": 0,
        "percent": 0,
        "mean_mg_dl": None,
        "target_percent": None,
    }
    plain = {name: value for name, value in whole.items() if not isinstance(value, dict | list)}
    assert {name for name, value in plain.items() if value is None} == {
        *("as_of", "previous", "mean_mg_dl", "sd_mg_dl", "cv_percent", "median_mg_dl", "iqr_mg_dl"),
        *("min_mg_dl", "max_mg_dl", "gmi_percent", "gmi_mmol_mol", "j_index", "lbgi", "hbgi"),
        *("below_70_percent", "above_180_percent", "tight_70_140_percent", "pregnancy_63_140_percent"),
    }


def test_one_reading_has_a_mean_and_no_deviation() -> None:
    """A deviation needs two readings; every other figure is defined for one."""
    one = figures(every_five_minutes(datetime(2026, 3, 28, tzinfo=UTC), [100]), SPRING - DAY, SPRING - DAY)

    assert (one["mean_mg_dl"], one["median_mg_dl"], one["iqr_mg_dl"]) == (100, 100, 0)
    assert (one["sd_mg_dl"], one["cv_percent"], one["j_index"]) == (None, None, None)
    assert one["bands"]["target"] == {"percent": 100, "minutes": 5}


def test_equal_readings_do_not_vary() -> None:
    """A day of one value has deviations of exactly 0."""
    day = figures(full_days(FIRST, 2), FIRST, FIRST + DAY)

    assert (day["sd_mg_dl"], day["cv_percent"], day["iqr_mg_dl"]) == (0, 0, 0)
    assert day["modd_mg_dl"] == {"value": 0, "pairs": 288}
    assert day["conga_mg_dl"]["24h"] == {"value": 0, "pairs": 288}


def test_day_that_loses_an_hour_has_276_slots() -> None:
    """On the day the clocks go forward 23 hours of readings are all there can be."""
    whole = figures(full_days(SPRING, 1, BERLIN), SPRING, SPRING)

    assert (whole["by_day"][0]["expected"], whole["by_day"][0]["received"]) == (276, 276)
    assert whole["active_percent"] == 100


def test_day_that_gains_an_hour_has_300_slots() -> None:
    """On the day the clocks go back an hour is there twice."""
    whole = figures(full_days(AUTUMN, 1, BERLIN), AUTUMN, AUTUMN)

    assert (whole["by_day"][0]["expected"], whole["by_day"][0]["received"]) == (300, 300)
    assert whole["active_percent"] == 100


def test_flight_to_the_west_makes_the_day_longer() -> None:
    """From Berlin to New York a day has thirty hours, and all of them are expected."""
    flight = Offsets(((datetime(2026, 1, 1, tzinfo=UTC), 60), (datetime(2026, 3, 27, 12, tzinfo=UTC), -300)))

    whole = figures(full_days(FIRST, 3, flight), FIRST, FIRST + 2 * DAY)

    assert [day["expected"] for day in whole["by_day"]] == [288, 360, 288]
    assert [day["received"] for day in whole["by_day"]] == [288, 360, 288]


def test_flight_to_the_east_makes_the_day_shorter() -> None:
    """From New York to Berlin a day has eighteen hours."""
    flight = Offsets(((datetime(2026, 1, 1, tzinfo=UTC), -300), (datetime(2026, 3, 27, 12, tzinfo=UTC), 60)))

    whole = figures(full_days(FIRST, 3, flight), FIRST, FIRST + 2 * DAY)

    assert [day["expected"] for day in whole["by_day"]] == [288, 216, 288]
    assert whole["active_percent"] == 100


def test_64_percent_of_fourteen_days_is_insufficient() -> None:
    """Nine of fourteen days were measured: every figure is answered, and the verdict says what is lacking."""
    nine_days = full_days(FIRST, 9)

    whole = figures(nine_days, FIRST, FIRST + 13 * DAY)

    assert whole["active_percent"] == 100 * 9 / 14
    assert (whole["sufficient"], whole["reasons"]) == (False, ["64.3 % of 70 %"])
    assert whole["mean_mg_dl"] == 110


def test_ten_of_fourteen_days_are_sufficient() -> None:
    """71 % of fourteen days are enough, although no day was measured of the last four."""
    whole = figures(full_days(FIRST, 10), FIRST, FIRST + 13 * DAY)

    assert (whole["sufficient"], whole["reasons"]) == (True, [])


def test_nine_whole_days_are_insufficient() -> None:
    """Fewer than fourteen days do not suffice, however well they are measured."""
    whole = figures(full_days(FIRST, 9), FIRST, FIRST + 8 * DAY)

    assert (whole["sufficient"], whole["reasons"]) == (False, ["9 of 14 days"])


def test_codes_39_and_401_count_and_are_reported() -> None:
    """The codes for low and high count with their values, and beside them as numbers of readings."""
    whole = figures(
        every_five_minutes(datetime(2026, 3, 26, tzinfo=UTC), [39, 39, 39, 401, 401, 40, 400]), FIRST, FIRST
    )

    assert (whole["low_readings"], whole["high_readings"]) == (3, 2)
    assert (whole["mean_mg_dl"], whole["max_mg_dl"]) == (1359 / 7, 401)


def test_first_days_of_the_calendar_have_no_period_before() -> None:
    """A comparison with days that no calendar has is null, and not an error."""
    assert period_before(date(1, 1, 2), date(1, 1, 3)) is None
    assert period_before(date(1, 1, 3), date(1, 1, 4)) == (date(1, 1, 1), date(1, 1, 2))

    none = compared_statistics(series_of([]), date.min, date.min + DAY, LONG_AFTER)

    assert none.previous is None


def test_last_day_of_the_calendar_is_answered() -> None:
    """A range at the far end of the calendar has no slots yet, and no share of them."""
    whole = figures([], date.max, date.max)

    assert (whole["slots"]["expected"], whole["active_percent"]) == (0, None)
    assert whole["reasons"] == ["0 of 14 days", "0.0 % of 70 %"]


def test_answer_names_method_version_and_instant() -> None:
    """An answer says how, by which version and as of when it was made."""
    made = statistics(series_of([]), FIRST, FIRST + timedelta(days=1), LONG_AFTER)

    whole = statistics_json(made, as_of="2026-04-01T00:00:00Z", version="1.2.3")

    assert [whole[name] for name in COUNTS_AND_TEXTS] == [
        *("2026-03-26", "2026-03-27", "2026-04-01T00:00:00Z", "bg-ingest-1", "1.2.3"),
        *(0, 0, 0),
    ]
