"""The insight function: statistics and the glucose profile of stored readings."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.readings.model import Reading
from bg_ingest.version import VERSION
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.process import process
from tests.functions.conftest import part
from tests.unit.statistics.by_definition import profile_by_definition, statistics_by_definition
from tests.unit.statistics.closeness import disagreements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.functions.conftest import FunctionsWorld

USER = "traveller"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ADDED = ("as_of", "method", "version")  # What the slow calculation does not know.


def _get(world: FunctionsWorld, what: str, *, if_none_match: str = "", **query: str) -> Any:
    asked = {name.rstrip("_"): value for name, value in query.items()}
    event = world.event(f"insight_{what}", queryStringParameters=asked)
    path = f"/api/bg/{USER}/{what}"
    event |= {"rawPath": path, "pathParameters": {"userId": USER}}
    event["requestContext"]["http"]["path"] = path
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = USER
    event["headers"] |= {"if-none-match": if_none_match}
    return world.invoke("insight", event)


def _answer(world: FunctionsWorld, what: str, **query: str) -> dict[str, Any]:
    response = _get(world, what, **query)
    assert response["statusCode"] == 200, response["body"]
    document: dict[str, Any] = json.loads(response["body"])
    return document


def _today() -> date:
    return process().clock.now().date()


def _save(readings: Iterable[Reading]) -> list[Reading]:
    saved = list(readings)
    part(store_parts.reading_store).save(USER, saved, process().clock.now())
    return saved


def _journey(first: date, days: int) -> list[Reading]:
    """Readings of some days, with gaps, jitter and codes, while the person travels twice."""
    chance = random.Random(17)  # noqa: S311 - random readings, not secrets.
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    readings = []
    for number in range(288 * days):
        if chance.random() < 0.3:
            continue
        at = midnight + 5 * number * MINUTE + timedelta(seconds=chance.randint(-90, 90))
        offset = (60, -420, None, 765)[number * 4 // (288 * days)]
        value = chance.choice([39, 401, chance.randint(40, 400), chance.randint(70, 180)])
        readings.append(Reading(at, value, local_offset_minutes=offset))
    return readings


def _plain(readings: Iterable[Reading]) -> list[tuple[int, int, int | None]]:
    return sorted((int(each.at.timestamp()), each.mg_dl, each.local_offset_minutes) for each in readings)


def test_statistics_equal_an_independent_calculation(world: FunctionsWorld) -> None:
    """Every figure is that of its definition; a fingerstick is not counted."""
    first, last = _today() - 12 * DAY, _today() - 5 * DAY
    readings = _save(_journey(_today() - 14 * DAY, 12))
    _save([Reading(readings[900].at + 2 * MINUTE, 300, kind="manual")])
    answer = _answer(world, "statistics", from_=str(first), to=str(last))
    theirs = statistics_by_definition(_plain(readings), first, last, process().clock.now())

    assert answer["version"] == VERSION
    assert answer["readings"] > 1000
    assert disagreements({name: answer[name] for name in answer if name not in ADDED}, theirs) == []


@pytest.mark.parametrize("bin_minutes", ["15", "30", "60"])
def test_profile_equals_an_independent_calculation(world: FunctionsWorld, bin_minutes: str) -> None:
    """Each percentile of each bin is that of its definition, raw and smoothed."""
    first, last = _today() - 12 * DAY, _today() - 5 * DAY
    readings = _save(_journey(_today() - 14 * DAY, 12))
    answer = _answer(world, "profile", from_=str(first), to=str(last), bin_minutes=bin_minutes)
    theirs = profile_by_definition(_plain(readings), first, last, process().clock.now(), int(bin_minutes))

    assert disagreements({name: answer[name] for name in answer if name not in ADDED}, theirs) == []


def test_comparison_is_the_answer_about_the_days_before(world: FunctionsWorld) -> None:
    """It has every figure of a request for those days, apart from the single days."""
    _save(_journey(_today() - 14 * DAY, 12))
    days = {"from_": str(_today() - 8 * DAY), "to": str(_today() - 5 * DAY)}
    before = {"from_": str(_today() - 12 * DAY), "to": str(_today() - 9 * DAY)}
    previous = _answer(world, "statistics", **days, compare="previous")["previous"]
    alone = _answer(world, "statistics", **before)

    assert alone["previous"] is None
    assert previous.keys() == alone.keys() - {"by_day", "previous"}
    assert {**previous, "as_of": None} == {name: alone[name] for name in previous} | {"as_of": None}


@pytest.mark.parametrize("offset", [None, 840, -720])
@pytest.mark.parametrize("what", ["statistics", "profile"])
def test_default_days_end_on_the_persons_own_today(
    world: FunctionsWorld, what: str, offset: int | None
) -> None:
    """They are 14 local days up to the local date, by the offset of the newest reading."""
    now = process().clock.now().replace(microsecond=0)
    _save([Reading(now - 10 * MINUTE, 110, local_offset_minutes=offset)])
    answer = _answer(world, what)
    today = (now + timedelta(minutes=offset or 0)).date()

    assert (answer["from"], answer["to"]) == (str(today - 13 * DAY), str(today))
    assert answer["readings"] == 1


def test_local_today_may_be_ahead_of_utc(world: FunctionsWorld) -> None:
    """A first day that has begun only for the person is valid, and the day after it is not."""
    newest = process().clock.now().replace(microsecond=0) - 10 * MINUTE
    _save([Reading(newest, 110, local_offset_minutes=840)])
    today = (newest + timedelta(hours=14)).date()
    answer = _answer(world, "statistics", from_=str(today))

    assert (answer["from"], answer["to"]) == (str(today), str(today))
    assert _get(world, "statistics", from_=str(today + DAY))["statusCode"] == 422


@pytest.mark.parametrize("days", [92, 93])
def test_statistics_are_of_92_days_at_most(world: FunctionsWorld, days: int) -> None:
    """Days that follow from `to` are limited as days that are named."""
    first = str(_today() - (days - 1) * DAY)
    for query in ({"from_": first}, {"from_": first, "to": str(_today())}):
        for what in ("statistics", "profile"):
            response = _get(world, what, **query)
            assert response["statusCode"] == (200 if days == 92 else 422)
            assert days == 92 or "range-too-long" in response["body"]


@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("statistics", {"from_": "yesterday"}, "from"),
        ("statistics", {"to": "2026-02-30"}, "to"),
        ("profile", {"from_": "2026-11-02", "to": "2026-11-01"}, "from"),
        ("statistics", {"compare": "next"}, "compare"),
        ("profile", {"bin_minutes": "45"}, "bin_minutes"),
        ("profile", {"bin_minutes": "6_0"}, "bin_minutes"),
    ],
)
def test_an_invalid_parameter_is_422_and_named(
    world: FunctionsWorld, what: str, query: dict[str, str], field: str
) -> None:
    """The problem names the parameter."""
    response = _get(world, what, **query)

    assert response["statusCode"] == 422
    assert [error["field"] for error in json.loads(response["body"])["errors"]] == [field]


@pytest.mark.parametrize(("from_", "to"), [("0001-01-01", "0001-01-03"), ("9999-12-31", "9999-12-31")])
def test_ends_of_the_calendar_are_answered(world: FunctionsWorld, from_: str, to: str) -> None:
    """Such days have no readings; their figures are null and not 0."""
    answer = _answer(world, "statistics", from_=from_, to=to, compare="previous")

    assert (answer["readings"], answer["mean_mg_dl"], answer["gri"]["zone"]) == (0, None, None)
    assert _answer(world, "profile", from_=from_, to=to)["bins"][0]["p50"] is None


@pytest.mark.parametrize("what", ["statistics", "profile"])
def test_unchanged_figures_are_304(world: FunctionsWorld, what: str) -> None:
    """The instant of the response does not change the ETag; a new reading does."""
    days = {"from_": str(_today() - 12 * DAY), "to": str(_today() - 5 * DAY)}
    saved = _save(_journey(_today() - 14 * DAY, 12))
    tag = _get(world, what, **days)["headers"]["ETag"]
    again = _get(world, what, if_none_match=tag, **days)
    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"]["Cache-Control"] == "private, no-cache"

    _save([Reading(saved[900].at + 150 * timedelta(seconds=1), 111)])
    assert _get(world, what, if_none_match=tag, **days)["statusCode"] == 200
