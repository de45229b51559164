"""Comparison with two public tools: equal where they share our definitions, and each known disagreement."""

# docs/statistics.md lists the disagreements. A new version of a tool that settles one of them fails here, so
# that the page is corrected. The tools run in an environment of their own: `make statistics` installs it.

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from bg_ingest.statistics.as_json import statistics_json
from bg_ingest.statistics.series import Series
from bg_ingest.statistics.summary import statistics
from tests.unit.statistics.closeness import disagreements
from tests.unit.statistics.made_up import LONG_AFTER

pytestmark = pytest.mark.public_tools
ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-statistics" / "bin" / "python"
FIRST, LAST = date(2026, 3, 26), date(2026, 4, 8)
LONG_SERIES = 3
# Thirty hours: some pairs a day apart, and few enough for agata, whose time grows with the square.
READINGS = 360
EDGES = (54, 70, 180, 250)


@dataclass(frozen=True)
class Compared:
    """One series: what kind it is, its values, and the figures of all three."""

    kind: str
    mg_dl: list[int]
    ours: dict[str, Any]
    iglu: dict[str, Any]
    iglu_like_r: dict[str, Any]
    agata: dict[str, Any]


def wandering(chance: random.Random, count: int) -> list[int]:
    """Values that rise and fall as glucose does, back in target at the end."""
    value, slope, values = 150.0, 0.0, []
    for _ in range(count - 6):
        slope = 0.8 * slope + chance.gauss(0, 2.2)
        value = min(max(value + slope - (value - 150) * 0.02, 39), 401)
        values.append(round(value))
    return values + [110] * 6


def made_up(number: int) -> tuple[str, list[int], list[int]]:
    """A series by its number: complete, with gaps, or with jitter; it begins at midnight or later."""
    chance = random.Random(number)  # noqa: S311 - the same series in every run, no secret.
    start = int(datetime(2026, 3, 26, chance.choice([0, 7]), tzinfo=UTC).timestamp())
    kind = ("complete", "gaps", "jitter")[number % 3]
    missing: set[int] = set()
    if kind == "gaps":
        for _ in range(4):
            begin = chance.randrange(10, READINGS - 60)
            missing |= set(range(begin, begin + chance.choice([1, 3, 8, 12, 40])))
    jitter_s = 59 if kind == "jitter" else 0
    kept = [place for place in range(READINGS) if place not in missing]
    values = wandering(chance, READINGS)
    instants = [start + 300 * place + chance.randint(0, jitter_s) for place in kept]
    return kind, instants, [values[place] for place in kept]


def long_one(number: int) -> tuple[str, list[int], list[int]]:
    """Fourteen days with a few seconds of jitter."""
    chance = random.Random(number)  # noqa: S311 - as above.
    start = int(datetime(2026, 3, 26, tzinfo=UTC).timestamp())
    return (
        "long",
        [start + 300 * place + chance.randint(0, 5) for place in range(14 * 288)],
        wandering(chance, 14 * 288),
    )


def open_end() -> tuple[list[int], list[int]]:
    """An episode of half an hour, and two readings back when the readings end."""
    start = int(datetime(2026, 3, 26, tzinfo=UTC).timestamp())
    values = [100] * 12 + [60] * 6 + [100] * 2
    return [start + 300 * place for place in range(len(values))], values


def ours(unix_s: list[int], mg_dl: list[int]) -> dict[str, Any]:
    """The figures of this project; the person lives by UTC."""
    series = Series(unix_s, mg_dl, [0] * len(mg_dl))
    return statistics_json(statistics(series, FIRST, LAST, LONG_AFTER), as_of=None, version="1.2.3")


def theirs(series: list[dict[str, list[int]]]) -> list[dict[str, Any]]:
    """The figures of both tools."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is missing: run make statistics")
    script = Path(__file__).with_name("public_tools.py")
    # -I: this project is not importable. The tools use what pandas calls deprecated.
    command: list[str | Path] = [PYTHON, "-I", "-W", "ignore", script]
    done = subprocess.run(  # noqa: S603 - our own script.
        command, input=json.dumps(series), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def everything(request: pytest.FixtureRequest) -> list[Compared]:
    """Every series with all its figures; the tools are started once, because that takes seconds."""
    made = [made_up(number) for number in range(request.config.getoption("--series"))]
    made += [long_one(number) for number in range(LONG_SERIES)]
    made += [("empty", [], []), ("open end", *open_end())]
    answers = theirs([{"unix_s": instants, "mg_dl": values} for _, instants, values in made])
    return [
        Compared(kind, values, ours(instants, values), **answer)
        for (kind, instants, values), answer in zip(made, answers, strict=True)
    ]


@pytest.fixture
def compared(everything: list[Compared]) -> list[Compared]:
    """The series that wander as glucose does."""
    return of_kind(everything, "complete", "gaps", "jitter", "long")


def of_kind(compared: list[Compared], *kinds: str) -> list[Compared]:
    """The series of some kinds; there must be any."""
    found = [each for each in compared if each.kind in kinds]
    assert found
    return found


def values_of(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures without their numbers of pairs."""
    return {name: paired["value"] for name, paired in figures.items()}


def percent(values: list[int], least: float, most: float) -> float:
    """The share of values from one to another, both included."""
    return 100 * sum(least <= value <= most for value in values) / len(values)


def test_iglu_agrees_on_every_figure_of_values(compared: list[Compared]) -> None:
    """Mean, spread, GMI, J-index, risk indices, GRI and every share are the same to 1e-9."""
    for each in compared:
        bands = {name: band["percent"] for name, band in each.ours["bands"].items()}
        mine = {
            **{name: each.ours[name] for name in ("mean_mg_dl", "sd_mg_dl", "cv_percent", "median_mg_dl")},
            **{name: each.ours[name] for name in ("iqr_mg_dl", "gmi_percent", "j_index", "lbgi", "hbgi")},
            "gri": each.ours["gri"]["value"],
            "below_54": bands["very_low"],
            "below_70": each.ours["below_70_percent"],
            "above_180": each.ours["above_180_percent"],
            "above_250": bands["very_high"],
            "in_range_70_180": bands["target"],
            "in_range_70_140": each.ours["tight_70_140_percent"],
            "in_range_63_140": each.ours["pregnancy_63_140_percent"],
        }
        assert disagreements(mine, {name: each.iglu[name] for name in mine}) == []


def test_agata_agrees_on_level_risk_and_lags(compared: list[Compared]) -> None:
    """Also with gaps and jitter: agata works on a grid, too, and interpolates nothing in it."""
    for each in of_kind(compared, "complete", "gaps", "jitter"):
        mine = {
            **{name: each.ours[name] for name in ("mean_mg_dl", "sd_mg_dl", "cv_percent", "median_mg_dl")},
            **{name: each.ours[name] for name in ("iqr_mg_dl", "gmi_percent", "j_index", "lbgi", "hbgi")},
            "adrr": each.ours["adrr"]["value"],
            "modd_mg_dl": each.ours["modd_mg_dl"]["value"],
            "conga_mg_dl": {"4h": each.ours["conga_mg_dl"]["4h"]["value"]},
        }
        assert disagreements(mine, {name: each.agata[name] for name in mine}) == []


def test_iglu_agrees_on_lags_of_complete_series(compared: list[Compared]) -> None:
    """Where there is nothing to interpolate MODD and CONGA are the same to 1e-9."""
    for each in of_kind(compared, "complete"):
        mine = {
            "modd_mg_dl": each.ours["modd_mg_dl"]["value"],
            "conga_mg_dl": values_of(each.ours["conga_mg_dl"]),
        }
        assert disagreements(mine, {name: each.iglu[name] for name in mine}) == []


def test_both_agree_on_episodes_of_complete_series(compared: list[Compared]) -> None:
    """Where no reading is missing all three find the same episodes, and of the same length."""
    for each in of_kind(compared, "complete"):
        assert disagreements(each.ours["episodes"], each.iglu["episodes"]) == []
        assert disagreements(each.ours["episodes"], each.agata["episodes"]) == []
    found = [each.ours["episodes"][name]["count"] for each in compared for name in each.ours["episodes"]]
    assert sum(found) > len(compared)


def test_agata_agrees_on_episodes_despite_jitter(compared: list[Compared]) -> None:
    """Both put every reading into its slot first."""
    for each in of_kind(compared, "jitter"):
        assert disagreements(each.ours["episodes"], each.agata["episodes"]) == []


def test_known_agata_leaves_edges_out_of_target(compared: list[Compared]) -> None:
    """Agata's bands equal these except for values on an edge, which it puts into the outer band."""
    on_an_edge = 0
    for each in of_kind(compared, "complete", "gaps", "jitter"):
        values = each.mg_dl
        expected = {
            "very_low": percent(values, 0, 54),
            "low": percent(values, 55, 70),
            "target": percent(values, 71, 179),
            "high": percent(values, 180, 249),
            "very_high": percent(values, 250, 1000),
        }
        assert disagreements(each.agata["bands"], expected) == []
        assert each.agata["tight_70_140_percent"] == pytest.approx(percent(values, 71, 139), abs=1e-9)
        assert each.agata["pregnancy_63_140_percent"] == pytest.approx(percent(values, 64, 139), abs=1e-9)
        of_ours = {name: band["percent"] for name, band in each.ours["bands"].items()}
        has_edges = bool(set(EDGES) & set(values))
        assert bool(disagreements(each.agata["bands"], of_ours)) == has_edges
        on_an_edge += has_edges
    assert on_an_edge


def test_known_agata_has_a_higher_gri_for_edges(compared: list[Compared]) -> None:
    """The index follows the bands: a value on an edge counts more in agata's."""
    of_both = [(each, each.agata["gri"] - each.ours["gri"]["value"]) for each in compared if each.agata]

    assert all(difference >= -1e-9 for _, difference in of_both)
    assert any(difference > 0.1 for _, difference in of_both)
    for each, difference in of_both:
        assert (difference > 1e-9) == bool(set(EDGES) & set(each.mg_dl)) or each.agata["gri"] == 100


def test_known_iglu_rounds_the_factor_of_adrr(compared: list[Compared]) -> None:
    """Iglu takes 22.77 for 10 times 1.509 squared, which makes ADRR smaller by 3.6e-5."""
    for each in compared:
        mine = each.ours["adrr"]["value"]
        assert each.iglu["adrr"] == pytest.approx(mine * 22.77 / (10 * 1.509**2), rel=1e-9)
        assert 1e-9 < mine - each.iglu["adrr"] < 5e-5 * mine


def test_known_iglu_interpolates_modd_and_conga(compared: list[Compared]) -> None:
    """Seconds of jitter over fourteen days move iglu's figures, by less than 0.5 %."""
    for each in of_kind(compared, "long"):
        pairs = [(each.iglu["modd_mg_dl"], each.ours["modd_mg_dl"]["value"])]
        pairs += [
            (each.iglu["conga_mg_dl"][name], paired["value"])
            for name, paired in each.ours["conga_mg_dl"].items()
        ]
        assert all(1e-9 < abs(of_iglu / mine - 1) < 0.005 for of_iglu, mine in pairs)


def test_known_iglu_moves_more_when_readings_lack(compared: list[Compared]) -> None:
    """Iglu fills gaps up to 45 minutes and drops readings beside longer ones, so that thirty hours differ."""
    differ = [
        abs(each.iglu["conga_mg_dl"]["1h"] / each.ours["conga_mg_dl"]["1h"]["value"] - 1)
        for each in of_kind(compared, "gaps")
    ]

    assert max(differ) > 0.005


def test_known_iglu_drops_the_first_midnight(compared: list[Compared]) -> None:
    """As it comes, iglu's grid begins five minutes after midnight, so a pair is missing."""
    at_midnight = [
        each
        for each in of_kind(compared, "complete")
        if each.ours["by_day"][0]["received"] == each.ours["by_day"][0]["expected"]
    ]

    assert at_midnight
    for each in at_midnight:
        mine = each.ours["modd_mg_dl"]["value"]
        assert each.iglu["modd_mg_dl"] == pytest.approx(mine, abs=1e-9)
        assert each.iglu_like_r["modd_mg_dl"] != pytest.approx(mine, abs=1e-9)


def test_known_agata_divides_episodes_at_a_missing_reading(compared: list[Compared]) -> None:
    """A missing reading is a reading back for agata; here the episode continues for up to 45 minutes."""
    assert any(
        disagreements(each.ours["episodes"], each.agata["episodes"]) for each in of_kind(compared, "gaps")
    )


def test_known_iglu_counts_activity_between_readings(compared: list[Compared]) -> None:
    """Iglu's share of activity is of the time from the first reading to the last, ours of whole days."""
    for each in of_kind(compared, "complete"):
        assert each.iglu["active_percent"] == pytest.approx(100)
        assert each.ours["active_percent"] == pytest.approx(100 * READINGS / (14 * 288))


def test_known_iglu_says_zero_without_readings(everything: list[Compared]) -> None:
    """Of no readings iglu says that 0 % are low and 0 % in target; ours are null."""
    (empty,) = of_kind(everything, "empty")

    assert empty.iglu == {"below_54": 0, "below_70": 0, "in_range_70_180": 0}
    assert empty.ours["below_70_percent"] is None


def test_known_iglu_counts_the_time_after_an_open_end(everything: list[Compared]) -> None:
    """If the readings end ten minutes after an episode, iglu adds them to it; agata and ours do not."""
    (ended,) = of_kind(everything, "open end")

    minutes = [tool["episodes"]["below_70"]["mean_minutes"] for tool in (ended.ours, ended.iglu, ended.agata)]
    assert minutes == [30, 40, 30]
