from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.readings.completeness import Day
from bg_ingest.sync import poll_slots
from bg_ingest.wiring import stores

if TYPE_CHECKING:
    from tests.functions.conftest import World


@pytest.mark.parametrize("interval_s", [0, 60, 301, 1_000_000, "900.5", None])
def test_only_the_intervals_on_offer_can_be_chosen(world: World, interval_s: object) -> None:
    """Anything else is the caller's mistake, and changes nothing."""
    body = json.dumps({"poll_interval_seconds": interval_s})
    answer = world.invoke("sync", world.event("sync_settings", body=body))

    assert answer["statusCode"] == 422
    state = stores.states().get("demo")
    assert state is not None
    assert state.poll_interval_s == 900


def test_a_chosen_interval_counts_at_once(world: World) -> None:
    """The new seat is there when the answer is."""
    assert world.invoke("sync", world.event("sync_settings"))["statusCode"] == 200

    state = stores.states().get("demo")
    assert state is not None
    assert (state.own_interval_s, state.slot) == (300, poll_slots.poll_slot("demo", 300))


def test_who_is_not_polled_has_nothing_to_choose(world: World) -> None:
    """The caller is told that there is no connection."""
    stores.states().stop_polling("demo")

    assert world.invoke("sync", world.event("sync_settings"))["statusCode"] == 409


def _days(world: World, user_id: str, query: str) -> list[dict[str, Any]]:
    event = world.event(
        "sync_completeness",
        rawQueryString=query,
        queryStringParameters=dict(pair.split("=") for pair in query.split("&")),
    )
    event["pathParameters"] = {"userId": user_id}
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/api/bg/{user_id}/completeness"
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"sub": user_id}
    days: list[dict[str, Any]] = json.loads(world.invoke("sync", event)["body"])["days"]
    return days


def test_the_newest_days_are_worked_out_and_older_ones_are_on_record(world: World) -> None:
    """What a poll stored a moment ago counts; of the days before that, those that were looked at."""
    today = SystemClock().now().date()
    week_ago = today - timedelta(days=7)
    on_record = Day(week_ago, 288, 200, 0, 88, ())
    stores.completeness().record("demo", [on_record, replace(on_record, date=today)])

    days = _days(world, "demo", f"from={today - timedelta(days=8)}&to={today}")

    newest = [str(today - timedelta(days=days)) for days in (3, 2, 1, 0)]
    assert [day["date"] for day in days] == [str(week_ago), *newest]
    assert days[0]["received"] == 200
    assert sum(day["received"] for day in days[1:]) == 12


def test_nothing_is_expected_of_who_never_connected(world: World) -> None:
    """They have no days."""
    assert _days(world, "newcomer", "from=2026-11-01&to=2026-11-20") == []


@pytest.mark.parametrize("query", ["from=yesterday", "from=2026-02-30", "from=2026-11-02&to=2026-11-01"])
def test_days_that_are_none_are_refused(world: World, query: str) -> None:
    """With a problem that names the field."""
    asked = dict(pair.split("=") for pair in query.split("&"))
    event = world.event("sync_completeness", rawQueryString=query, queryStringParameters=asked)
    answer = world.invoke("sync", event)

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"][0]["field"] == "from"
