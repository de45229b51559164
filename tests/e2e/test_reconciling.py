"""Reconciliation compares stored readings with Dexcom, on request and by its schedule."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.sync.dispatching import poll_slots, poll_stretch
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

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_PERSON = "SandboxUser8"
_MINUTE = int(SystemClock().now().timestamp()) // 60
# A user whose minute of reconciliation has just passed.
_USER = next(
    name
    for name in map("daily-{}".format, count())
    if poll_slots.is_reconciled_in(range(_MINUTE - 5, _MINUTE), name)
)


@pytest.fixture(scope="module")
def connected(cloud: Stack, caller: Callable[..., Api]) -> Api:
    """Return the API as a user who has just connected and whose history is stored."""
    token = cloud.callers.token(_USER)
    demo.connect(cloud.api, token, _USER, _PERSON)
    demo.wait_for_backfill(cloud.api, token, _USER)
    return caller(_USER)


def _upload(dexcom: httpx.Client, ago: timedelta) -> datetime:
    """Upload a reading that is too old for a poll to find."""
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


def test_requested_reconciliation_repairs_a_missing_reading(connected: Api, dexcom: httpx.Client) -> None:
    """A missing reading of ten days ago is stored, and the completeness of its day counts it."""
    late = _upload(dexcom, timedelta(days=10, minutes=2))
    assert not _is_stored(connected, late)
    before = _day_of(connected, late)

    asked = connected.post(f"/api/bg/{_USER}/reconcile")

    assert asked.status_code == 202
    job: dict[str, Any] = {}

    def is_over() -> bool:
        job.update(connected.get(asked.headers["location"]).json())
        return job["status"] in {"succeeded", "failed"}

    assert wait_until(is_over, WAIT_S_MAX)
    assert (job["status"], job["kind"], job["trigger"]) == ("succeeded", "reconcile", "api")
    assert _is_stored(connected, late)
    days = _day_of(connected, late)
    received = before[0]["received"] + 1
    # An extra reading of a day without a gap is expected, too.
    assert (days[0]["expected"], days[0]["received"]) == (max(288, received), received)


def test_every_user_is_reconciled_in_their_minute(cloud: Stack, connected: Api, dexcom: httpx.Client) -> None:
    """The event of the schedule finds a reading that no poll finds."""
    late = _upload(dexcom, timedelta(days=9, minutes=2))
    table = Table(cloud.emulator.client("dynamodb"), cloud.users_table)
    # Reset the served minutes to before the user's; the schedule may have run already.
    change = "SET served = :before REMOVE claimed_until"
    table.update(poll_stretch.PK, "reconcile", change, {":before": _MINUTE - 6})

    assert invoke_in(cloud, "DispatchFunction", "events/dispatch_reconcile.json") == 0

    assert wait_until(lambda: _is_stored(connected, late), WAIT_S_MAX)

    def kinds() -> set[tuple[str, str, str]]:
        jobs = connected.get(f"/api/bg/{_USER}/sync/jobs").json()
        return {(job["kind"], job["trigger"], job["status"]) for job in jobs}

    # The job finishes a moment after its readings are stored.
    assert wait_until(lambda: ("reconcile", "schedule", "succeeded") in kinds(), WAIT_S_MAX)
