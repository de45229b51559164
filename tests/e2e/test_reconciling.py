"""Comparing with Dexcom what is stored, because somebody asked or because their hour has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.sync import dispatch, poll_slots
from local import demo
from local.invoke import invoke_in
from local.waiting import wait_until
from tests.e2e.at_dexcom import between_readings
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e

_PERSON = "SandboxUser8"
_HOUR = int(SystemClock().now().timestamp()) // 3_600
# Somebody whose hour it is.
_USER = next(
    name
    for name in map("hourly-{}".format, count())
    if poll_slots.is_reconciled_in(range(_HOUR, _HOUR + 1), name)
)


@pytest.fixture(scope="module")
def hourly(cloud: Stack, caller: Callable[..., Api]) -> Api:
    """They have just connected, and their history is stored."""
    token = cloud.callers.token(_USER)
    demo.connect(cloud.api, token, _USER, _PERSON)
    demo.wait_for_backfill(cloud.api, token, _USER)
    return caller(_USER)


def _upload(dexcom: httpx.Client, ago: timedelta) -> datetime:
    """A reading from so long ago that no poll looks there is uploaded now."""
    instant = between_readings(dexcom, _PERSON, SystemClock().now() - ago)
    reading = {"system_time": instant.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": 173}
    dexcom.post(f"/_sim/users/{_PERSON}/readings", json=reading).raise_for_status()
    return instant


def _is_stored(api: Api, instant: datetime) -> bool:
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (instant, instant + timedelta(seconds=1)))
    found: list[dict[str, Any]] = api.get(f"/api/bg/{_USER}?from={start}&to={end}").json()
    return [reading["glucose_mg_dl"] for reading in found] == [173]


def _day_of(api: Api, instant: datetime) -> list[dict[str, Any]]:
    found = api.get(f"/api/bg/{_USER}/completeness?from={instant:%Y-%m-%d}&to={instant:%Y-%m-%d}").json()
    days: list[dict[str, Any]] = found["days"]
    assert [day["date"] for day in days] == [f"{instant:%Y-%m-%d}"]
    return days


def test_who_asks_gets_what_is_missing_and_how_complete_each_day_is(
    hourly: Api, dexcom: httpx.Client
) -> None:
    """A reading of ten days ago is repaired, and its day counts it."""
    late = _upload(dexcom, timedelta(days=10, minutes=2))
    assert not _is_stored(hourly, late)
    before = _day_of(hourly, late)

    asked = hourly.post(f"/api/bg/{_USER}/reconcile")

    assert asked.status_code == 202
    job: dict[str, Any] = {}

    def is_over() -> bool:
        job.update(hourly.get(asked.headers["location"]).json())
        return job["status"] in {"succeeded", "failed"}

    assert wait_until(is_over, WAIT_S_MAX)
    assert (job["status"], job["kind"], job["trigger"]) == ("succeeded", "reconcile", "api")
    assert _is_stored(hourly, late)
    days = _day_of(hourly, late)
    assert (days[0]["expected"], days[0]["received"]) == (288, before[0]["received"] + 1)


def test_everybody_is_reconciled_in_their_hour(cloud: Stack, hourly: Api, dexcom: httpx.Client) -> None:
    """The hourly schedule's own event, sent by hand: what no poll would find is found."""
    late = _upload(dexcom, timedelta(days=9, minutes=2))
    table = Table(cloud.emulator.client("dynamodb"), cloud.users_table)
    # As if nothing had been served since the hour this test began in; the schedule may have been quicker.
    table.update(dispatch.PK, "hour", "SET served = :before REMOVE claimed_until", {":before": _HOUR - 1})

    assert invoke_in(cloud, "DispatchFunction", "events/dispatch_reconcile.json") == 0

    assert wait_until(lambda: _is_stored(hourly, late), WAIT_S_MAX)

    def kinds() -> set[tuple[str, str, str]]:
        jobs = hourly.get(f"/api/bg/{_USER}/sync/jobs").json()
        return {(job["kind"], job["trigger"], job["status"]) for job in jobs}

    # A moment later than its readings.
    assert wait_until(lambda: ("reconcile", "schedule", "succeeded") in kinds(), WAIT_S_MAX)
