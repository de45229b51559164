from __future__ import annotations

import json
from datetime import date
from typing import Any

from bg_ingest.statistics.as_json import profile_json, statistics_json
from bg_ingest.statistics.profile import profile
from bg_ingest.statistics.summary import compared_statistics
from tests.unit.statistics.made_up import DAY, LONG_AFTER, full_days, series_of

FIRST = date(2026, 3, 26)
PAIRED = {"value": 0, "pairs": 0}
BAND = {"percent": 0, "minutes": 0}
EPISODES = {"count": 0, "mean_minutes": 0}
# The members as the API documents them; the values stand for anything.
FIGURES: dict[str, Any] = {
    **dict.fromkeys(("from", "to", "as_of", "method", "version")),
    **dict.fromkeys(("readings", "low_readings", "high_readings")),
    "slots": {"expected": 0, "received": 0},
    **dict.fromkeys(("active_percent", "sufficient", "reasons")),
    **dict.fromkeys(("mean_mg_dl", "sd_mg_dl", "cv_percent", "median_mg_dl", "iqr_mg_dl")),
    **dict.fromkeys(("min_mg_dl", "max_mg_dl", "gmi_percent", "gmi_mmol_mol")),
    "bands": dict.fromkeys(("very_low", "low", "target", "high", "very_high"), BAND),
    **dict.fromkeys(("below_70_percent", "above_180_percent")),
    **dict.fromkeys(("tight_70_140_percent", "pregnancy_63_140_percent")),
    "gri": dict.fromkeys(("value", "hypo", "hyper", "zone")),
    **dict.fromkeys(("j_index", "lbgi", "hbgi")),
    "adrr": {"value": 0, "days": 0},
    "modd_mg_dl": PAIRED,
    "conga_mg_dl": dict.fromkeys(("1h", "2h", "4h", "24h"), PAIRED),
    "episodes": dict.fromkeys(("below_70", "below_54", "above_180", "above_250"), EPISODES),
}
DAY_MEMBERS = ["date", "expected", "received", "percent", "mean_mg_dl", "target_percent"]


def members(value: Any) -> Any:
    """The names of an object, in order, and of the objects in it."""
    if not isinstance(value, dict):
        return None
    return [(name, members(each)) for name, each in value.items()]


def test_statistics_have_the_documented_members() -> None:
    """Every member of the API's description is there in its order, and no other."""
    made = compared_statistics(series_of(full_days(FIRST, 2)), FIRST, FIRST + DAY, LONG_AFTER)

    answer = statistics_json(made, as_of=None, version="1.2.3")

    by_day, previous = answer.pop("by_day"), answer.pop("previous")
    assert members(answer) == members(FIGURES)
    assert [list(day) for day in by_day] == [DAY_MEMBERS, DAY_MEMBERS]
    assert members(previous) == members(FIGURES)
    assert (previous["from"], previous["to"]) == ("2026-03-24", "2026-03-25")


def test_profile_has_the_documented_members() -> None:
    """A bin has its number of readings and five percentiles; a smoothed one has the percentiles alone."""
    made = profile(series_of(full_days(FIRST, 2)), FIRST, FIRST, LONG_AFTER)

    answer = profile_json(made, as_of="2026-04-01T00:00:00Z")

    head = ["from", "to", "as_of", "bin_minutes", "readings", "sufficient", "reasons", "bins", "smoothed"]
    percentiles = ["p5", "p25", "p50", "p75", "p95"]
    assert list(answer) == head
    assert (answer["bin_minutes"], len(answer["bins"]), len(answer["smoothed"])) == (60, 24, 24)
    assert (answer["from"], answer["as_of"]) == ("2026-03-26", "2026-04-01T00:00:00Z")
    assert {tuple(each) for each in answer["bins"]} == {("minute", "n", *percentiles)}
    assert {tuple(each) for each in answer["smoothed"]} == {("minute", *percentiles)}


def test_answers_are_json_without_rounding() -> None:
    """Numbers are the same to the last digit after parsing; no value is infinite or undefined."""
    made = compared_statistics(series_of(full_days(FIRST, 2, value=111)), FIRST, FIRST + DAY, LONG_AFTER)

    answer = statistics_json(made, as_of=None, version="1.2.3")

    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert answer["gmi_percent"] == 3.31 + 0.02392 * 111
