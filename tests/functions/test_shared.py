"""The routes below /api/shared: the person's own responses, cut to what a grant opens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.access.caller_limits import window_of
from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.access.grants import USE_POLICY, WRONG_POLICY
from bg_ingest.readings.model import Reading
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.access import grant_parts
from bg_ingest.wiring.process import process, users_table
from tests.functions.conftest import part
from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.functions.conftest import FunctionsWorld

OWN = {"sub": "grace"}
PATHS = {
    "/api/shared": Category.READINGS,
    "/api/shared/latest": Category.READINGS,
    "/api/shared/changes": Category.READINGS,
    "/api/shared/statistics": Category.STATISTICS,
    "/api/shared/profile": Category.STATISTICS,
    "/api/shared/completeness": Category.COMPLETENESS,
}


def _grant(
    reads: Iterable[Category] = Category, days: GrantDays | None = None, user_id: str = "grace"
) -> str:
    made = part(grant_parts.grant_service).create(user_id, "watch", list(reads), days or GrantDays())
    return made[1]


def _read(world: FunctionsWorld, url: str, token: str | None, **headers: str) -> dict[str, Any]:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return send(world, Request("GET", url, headers=headers))[1]


def _own(world: FunctionsWorld, url: str) -> dict[str, Any]:
    return send(world, Request("GET", url.replace("/api/shared", "/api/bg/grace"), OWN))[1]


def _store(*readings: Reading) -> None:
    part(store_parts.reading_store).save("grace", readings, process().clock.now())


@pytest.fixture
def days(world: FunctionsWorld) -> list[datetime]:
    """Store five readings a day for ten days of a person six hours behind UTC; return the local noons."""
    del world  # Only its environment is needed.
    today = process().clock.now().replace(hour=18, minute=0, second=0, microsecond=0) - timedelta(days=1)
    noons = [today - timedelta(days=age) for age in range(10)]
    readings = [
        Reading(noon + timedelta(hours=hours), 100 + age, local_offset_minutes=-360)
        for age, noon in enumerate(noons)
        for hours in (-12, -6, 0, 6, 11.5)
    ]
    _store(*readings)
    return noons


@pytest.mark.parametrize("path", [*PATHS, "/api/shared?limit=3", "/api/shared?order=desc&unit=mmol/L"])
def test_a_grant_of_all_days_gets_the_same_response(
    world: FunctionsWorld, days: list[datetime], path: str
) -> None:
    """Body and ETag equal those of the person; a link leads to the shared route."""
    assert days
    shared, own = _read(world, path, _grant()), _own(world, path)

    assert shared["statusCode"] == own["statusCode"] == 200
    ages = {"age_seconds", "as_of"}
    assert _without(shared, ages) == _without(own, ages)
    assert shared["headers"].get("ETag") == own["headers"].get("ETag")
    if "Link" in own["headers"]:
        assert f"{path.partition('?')[0]}?" in shared["headers"]["Link"]
        assert "grace" not in shared["headers"]["Link"]


def _without(answer: dict[str, Any], names: set[str]) -> Any:
    body = json.loads(answer["body"])
    return {k: v for k, v in body.items() if k not in names} if isinstance(body, dict) else body


def test_an_unchanged_response_is_304_for_a_reader(world: FunctionsWorld, days: list[datetime]) -> None:
    """The ETag of the last response is accepted."""
    assert days
    token = _grant()
    url = "/api/shared?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z"
    empty = _read(world, url, token)

    again = _read(world, url, token, **{"If-None-Match": empty["headers"]["ETag"]})
    assert again["statusCode"] == 304


@pytest.mark.parametrize("path", PATHS)
def test_every_invalid_grant_gets_the_same_401(world: FunctionsWorld, path: str) -> None:
    """Missing, unknown, expired, revoked, another scheme and a person's JWT are alike."""
    grants = part(grant_parts.grant_service)
    revoked, token = grants.create("grace", "watch", list(Category), GrantDays())
    grants.revoke("grace", revoked.grant_id)
    past = process().clock.now() - timedelta(seconds=1)
    _, expired = grants.create("grace", "watch", list(Category), GrantDays(), past)
    answers = [
        _read(world, path, token),
        _read(world, path, expired),
        _read(world, path, "watch-0000000000000000"),
        _read(world, path, None),
        _read(world, path, None, Authorization=f"Basic {_grant()}"),
        _read(world, f"{path}?nonsense=1&limit=0", "watch-0000000000000001"),
    ]

    assert {answer["statusCode"] for answer in answers} == {401}
    assert len({answer["body"] for answer in answers}) == 1
    assert json.loads(answers[0]["body"])["type"].endswith("/grant-invalid")


@pytest.mark.parametrize(("path", "category"), PATHS.items())
def test_a_grant_opens_its_categories_only(world: FunctionsWorld, path: str, category: Category) -> None:
    """A route of another category is 403 and names the category."""
    others = [each for each in Category if each is not category]

    refused = _read(world, path, _grant(others, user_id="demo"))
    assert (refused["statusCode"], str(category) in refused["body"]) == (403, True)
    assert _read(world, path, _grant([category], user_id="demo"))["statusCode"] == 200


def test_a_fixed_range_shows_those_local_days_only(world: FunctionsWorld, days: list[datetime]) -> None:
    """Readings from local midnight to local midnight, in every route, also without parameters."""
    first, last = days[6].date(), days[4].date()
    token = _grant(days=GrantDays(first_day=first, last_day=last))
    wide = f"from={days[9].date()}&to={days[0].date()}"
    instants = f"from={days[9]:%Y-%m-%dT%H:%M:%SZ}&to={days[0]:%Y-%m-%dT%H:%M:%SZ}"

    rows = json.loads(_read(world, f"/api/shared?{instants}&limit=1000", token)["body"])
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    assert {(time - timedelta(hours=6)).date() for time in times} == {days[n].date() for n in (6, 5, 4)}
    assert len(rows) == 15
    newest = json.loads(_read(world, "/api/shared/latest", token)["body"])
    assert newest["timestamp"] == rows[-1]["timestamp"]
    changes = json.loads(_read(world, "/api/shared/changes", token)["body"])
    assert {change["timestamp"] for change in changes} == {row["timestamp"] for row in rows}
    for query in (wide, ""):
        figures = json.loads(_read(world, f"/api/shared/statistics?{query}", token)["body"])
        assert (figures["readings"], figures["to"]) == (15, str(last))
    assert figures["from"] == str(first)
    assert [day["date"] for day in figures["by_day"]] == [str(days[n].date()) for n in (6, 5, 4)]
    profile = json.loads(_read(world, f"/api/shared/profile?{wide}", token)["body"])
    assert (profile["from"], profile["to"], profile["readings"]) == (str(first), str(last), 15)


def test_the_period_before_is_cut_too(world: FunctionsWorld, days: list[datetime]) -> None:
    """Readings before the grant's days are in no figure of the comparison."""
    token = _grant(days=GrantDays(first_day=days[2].date(), last_day=days[0].date()))
    url = f"/api/shared/statistics?from={days[2].date()}&to={days[0].date()}&compare=previous"
    figures = json.loads(_read(world, url, token)["body"])

    assert (figures["readings"], figures["previous"]["readings"]) == (15, 0)


def test_the_last_days_end_today_in_the_persons_zone(world: FunctionsWorld, days: list[datetime]) -> None:
    """The first of the three days begins at local midnight."""
    assert days
    now = process().clock.now()
    midnight = (now - timedelta(hours=6)).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight + timedelta(hours=6) - timedelta(days=2)
    at_edge = [Reading(begin + timedelta(seconds=s), 77, local_offset_minutes=-360) for s in (-1, 0)]
    _store(*at_edge, Reading(now.replace(microsecond=0), 78, local_offset_minutes=-360))
    url = f"/api/shared?from={begin - timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}&limit=1000"
    rows = json.loads(_read(world, url, _grant(days=GrantDays(last=3)))["body"])

    assert datetime.fromisoformat(rows[0]["timestamp"]) == begin.astimezone(UTC)
    assert rows[-1]["glucose_mg_dl"] == 78


def test_completeness_lists_days_of_the_grant_only(world: FunctionsWorld) -> None:
    """A range outside the grant's days has no day."""
    today = process().clock.now().date()
    token = _grant(days=GrantDays(first_day=today, last_day=today), user_id="demo")
    around = f"from={today - timedelta(days=2)}&to={today}"
    before = f"from={today - timedelta(days=2)}&to={today - timedelta(days=1)}"

    listed = json.loads(_read(world, f"/api/shared/completeness?{around}", token)["body"])["days"]
    assert [day["date"] for day in listed] == [str(today)]
    assert json.loads(_read(world, f"/api/shared/completeness?{before}", token)["body"]) == {"days": []}


def test_a_user_without_readings_is_404_for_a_reader(world: FunctionsWorld) -> None:
    """As for the person."""
    assert _read(world, "/api/shared/latest", _grant(user_id="nobody"))["statusCode"] == 404


def test_a_reader_cannot_write_or_open_the_persons_routes(world: FunctionsWorld) -> None:
    """The shared paths have GET and HEAD only."""
    headers = {"Authorization": f"Bearer {_grant()}"}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        _, answer = send(world, Request(method, "/api/shared/latest", headers=headers))
        assert answer["statusCode"] == 405
    assert send(world, Request("HEAD", "/api/shared", headers=headers))[1]["statusCode"] == 200


def test_a_readers_use_is_counted_and_audited(world: FunctionsWorld, days: list[datetime]) -> None:
    """The audit names the grant and the route, once for the hour."""
    assert days
    token = _grant()
    for _ in range(3):
        _read(world, "/api/shared/latest", token)

    (grant,) = part(grant_parts.grant_service).of_user("grace")
    assert grant.uses == 3
    (entry,) = part(store_parts.audit).newest_first("grace")
    assert (entry.actor, entry.action) == (f"watch (grant {grant.grant_id})", "GET /api/shared/latest")


def test_a_grant_above_its_limit_is_429(world: FunctionsWorld) -> None:
    """The response says when to retry."""
    token = _grant(user_id="demo")
    (grant,) = part(grant_parts.grant_service).of_user("demo")
    used_up = {":next": window_of(USE_POLICY, process().clock.now()) + 1, ":max": USE_POLICY.calls_max}
    change = "SET use_window = :next, window_uses = :max"
    part(users_table).update("grant#demo", grant.grant_id, change, used_up)
    refused = _read(world, "/api/shared/latest", token)

    assert (refused["statusCode"], int(refused["headers"]["Retry-After"]) > 0) == (429, True)


def test_wrong_secrets_of_one_address_are_slowed_and_counted(
    world: FunctionsWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """After twenty the answer is 429, and each one counts in the metric of the alarm."""
    token = _grant(user_id="demo")
    wrong = [f"watch-{n:016x}" for n in range(2 * WRONG_POLICY.calls_max + 5)]
    statuses = [_read(world, "/api/shared/latest", each)["statusCode"] for each in wrong]
    written = capsys.readouterr().out

    assert statuses[: WRONG_POLICY.calls_max] == [401] * WRONG_POLICY.calls_max
    assert 429 in statuses
    assert written.count('"wrong_secrets":1') == len(wrong)
    assert not [each for each in wrong if each in written]
    elsewhere = world.event("query_shared_latest")
    elsewhere["headers"]["authorization"] = f"Bearer {token}"
    elsewhere["requestContext"]["http"]["sourceIp"] = "198.51.100.23"
    assert world.invoke("query", elsewhere)["statusCode"] == 200
