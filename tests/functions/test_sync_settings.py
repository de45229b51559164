"""The settings and completeness routes of the sync function."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.readings.completeness import Day
from bg_ingest.sync.dispatching import poll_slots, poll_stretch
from bg_ingest.sync.dispatching.poll_stretch import PollStretch
from bg_ingest.wiring import queue_parts, sync_parts
from tests.functions.conftest import part

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


@pytest.mark.parametrize("interval_s", [0, 60, 301, 1_000_000, "900", "900.5", True, None])
def test_an_interval_that_is_not_offered_is_422(world: FunctionsWorld, interval_s: object) -> None:
    """The setting does not change."""
    body = json.dumps({"poll_interval_seconds": interval_s})
    answer = world.invoke("sync", world.event("sync_settings", body=body))

    assert answer["statusCode"] == 422
    state = part(queue_parts.states).get("demo")
    assert state is not None
    assert state.poll_interval_s == 900


def test_a_new_interval_takes_effect_at_once(world: FunctionsWorld) -> None:
    """The user has a slot of the new interval when the response is sent."""
    assert world.invoke("sync", world.event("sync_settings"))["statusCode"] == 200

    state = part(queue_parts.states).get("demo")
    assert state is not None
    assert (state.own_interval_s, state.slot) == (300, poll_slots.poll_slot("demo", 300))


def test_an_interval_without_a_connection_is_409(world: FunctionsWorld) -> None:
    """The response says that the user is not connected."""
    part(queue_parts.states).stop_polling("demo")

    assert world.invoke("sync", world.event("sync_settings"))["statusCode"] == 409


@pytest.mark.parametrize(
    ("stretch_percent", "own_pace", "in_effect_s", "reason"),
    [
        (100, False, 900, "Polls run at the chosen interval."),
        (200, False, 1_800, "quota of calls is too small for the number of users"),
        (200, True, 900, "Polls run at the chosen interval."),
    ],
)
def test_the_state_says_which_interval_is_in_effect(
    world: FunctionsWorld, *, stretch_percent: int, own_pace: bool, in_effect_s: int, reason: str
) -> None:
    """Too many users for the provider's quota make the interval longer, except at servers of their own."""
    states, now = part(queue_parts.states), SystemClock().now()
    states.start_polling("demo", 900, now - timedelta(days=1), own_pace=own_pace)
    minute = int(now.timestamp()) // 60
    stretch = PollStretch(stretch_percent, minute, minute * 1_000)
    item = stretch.as_attributes() | {"served": minute}
    states.table.put({"pk": poll_stretch.PK, "sk": poll_stretch.NAME, **item})

    state = json.loads(world.invoke("sync", world.event("sync_state"))["body"])

    assert (state["poll_interval_seconds"], state["poll_interval_in_effect_seconds"]) == (900, in_effect_s)
    assert reason in state["poll_interval_reason"]
    assert datetime.fromisoformat(state["next_poll_at"]) <= now + timedelta(seconds=in_effect_s + 120)


def test_a_user_who_is_not_polled_has_no_interval_in_effect(world: FunctionsWorld) -> None:
    """The state says that no poll runs."""
    part(queue_parts.states).stop_polling("demo")
    state = json.loads(world.invoke("sync", world.event("sync_state"))["body"])

    assert state["poll_interval_in_effect_seconds"] is None
    assert "not connected" in state["poll_interval_reason"]


def _days(world: FunctionsWorld, user_id: str, query: str) -> list[dict[str, Any]]:
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


def test_completeness_of_new_days_is_computed(world: FunctionsWorld) -> None:
    """The last four days are computed from the readings; older days come from the last reconciliation."""
    today = SystemClock().now().date()
    week_ago = today - timedelta(days=7)
    on_record = Day(week_ago, 200, 0, 88, 0, ())
    part(sync_parts.stores).completeness.save("demo", [on_record, replace(on_record, date=today)])

    days = _days(world, "demo", f"from={today - timedelta(days=8)}&to={today}")

    newest = [str(today - timedelta(days=days)) for days in (3, 2, 1, 0)]
    assert [day["date"] for day in days] == [str(week_ago), *newest]
    assert days[0]["received"] == 200
    assert sum(day["received"] for day in days[1:]) == 12


def test_each_day_adds_up(world: FunctionsWorld) -> None:
    """The expected readings are those received, late, missing and pending; of UTC days and of local ones."""
    today = SystemClock().now().date()
    for days in ("utc", "local"):
        found = _days(world, "demo", f"from={today - timedelta(days=3)}&to={today}&days={days}")

        assert found
        for day in found:
            assert day["expected"] == day["received"] + day["late"] + day["missing"] + day["pending"]
        assert sum(day["received"] + day["late"] for day in found) == 12


def test_the_state_says_how_late_readings_are(world: FunctionsWorld) -> None:
    """The demo user's readings were stored within seconds; the next one cannot be there before now."""
    state = json.loads(world.invoke("sync", world.event("sync_state"))["body"])

    assert 0 <= state["provider_delay_seconds"] < 3600
    assert 0 <= state["our_delay_seconds"] < 60
    assert state["next_expected_at"] >= state["next_poll_at"]


def test_a_disconnected_user_expects_no_reading(world: FunctionsWorld) -> None:
    """The delays of the last day are shown all the same."""
    part(queue_parts.states).stop_polling("demo")
    state = json.loads(world.invoke("sync", world.event("sync_state"))["body"])

    assert (state["next_poll_at"], state["next_expected_at"]) == (None, None)


def test_completeness_of_an_unknown_user_has_no_days(world: FunctionsWorld) -> None:
    """A user who never connected has no expected readings."""
    assert _days(world, "newcomer", "from=2026-11-01&to=2026-11-20") == []


@pytest.mark.parametrize("query", ["from=yesterday", "from=2026-02-30", "from=2026-11-02&to=2026-11-01"])
def test_an_invalid_day_is_422_and_names_the_field(world: FunctionsWorld, query: str) -> None:
    """The same holds for a first day after the last."""
    asked = dict(pair.split("=") for pair in query.split("&"))
    event = world.event("sync_completeness", rawQueryString=query, queryStringParameters=asked)
    answer = world.invoke("sync", event)

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"][0]["field"] == "from"


def test_a_sync_of_a_future_range_is_422(world: FunctionsWorld) -> None:
    """The provider has no readings of it; a range that only ends in the future is synced."""
    body = json.dumps({"from": "2126-01-01T00:00:00Z", "to": "2126-01-02T00:00:00Z"})
    answer = world.invoke("sync", world.event("sync_start_async", body=body))

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"][0]["field"] == "from"
