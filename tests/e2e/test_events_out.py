"""The deployed system publishes stored readings to the bus and records revisions in the audit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local import demo
from local.waiting import wait_until
from tests.e2e.at_dexcom import between_readings
from tests.e2e.conftest import Person
from tests.support.bus_listener import BusListener
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_NEWCOMER = "eva"
# A user of this test only: a sync here would take a reading from other tests that wait for the schedule.
_WATCHED = Person("mia", "SandboxUser5")


@pytest.fixture(scope="module")
def listener(cloud: Stack) -> Iterator[BusListener]:
    """Return a listener on the bus that starts before any event of these users."""
    listener = BusListener(cloud, _WATCHED.user_id, _NEWCOMER)
    listener.listen()
    yield listener
    listener.stop()


def test_a_reading_is_published_and_its_revision_audited(
    cloud: Stack, caller: Any, dexcom: httpx.Client, now: datetime, listener: BusListener
) -> None:
    """A sync that stores a reading and a sync that finds it changed publish one event id each."""
    patient: Api = caller(_WATCHED.user_id)
    token = cloud.callers.token(_WATCHED.user_id)
    demo.connect(cloud.api, token, _WATCHED.user_id, _WATCHED.simulated)
    demo.wait_for_backfill(cloud.api, token, _WATCHED.user_id)
    at = between_readings(dexcom, _WATCHED.simulated, now - timedelta(minutes=47))
    timestamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    path = f"/_sim/users/{_WATCHED.simulated}/readings"
    dexcom.post(path, json={"system_time": timestamp, "value": 133}).raise_for_status()

    def told(event_type: str) -> list[dict[str, Any]]:
        # The other user of this module has the same person at Dexcom, and so the same reading.
        told_of = [event["data"] for event in listener.events(event_type)]
        readings = [
            each for data in told_of if data["user_id"] == _WATCHED.user_id for each in data["readings"]
        ]
        return [reading for reading in readings if reading["timestamp"] == timestamp]

    _sync(patient, at)
    assert wait_until(lambda: bool(told("bg.readings.stored")), WAIT_S_MAX)

    revised = {"kind": "revised_values", "by_mg_dl": 7, "user": _WATCHED.simulated, "since": timestamp}
    revised["before"] = f"{at + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    dexcom.post("/_sim/faults", json=revised).raise_for_status()
    _sync(patient, at)
    assert wait_until(lambda: bool(told("bg.readings.revised")), WAIT_S_MAX)
    (reading,) = told("bg.readings.revised")
    assert (reading["glucose_mg_dl"], reading["previous"]["glucose_mg_dl"]) == (140, 133)
    assert len(told("bg.readings.stored")) == 1

    def is_on_record() -> bool:
        entries = patient.get(f"/api/bg/{_WATCHED.user_id}/audit").json()
        return ("ingestion", "readings revised (1)") in {
            (entry["actor"], entry["action"]) for entry in entries
        }

    assert wait_until(is_on_record, WAIT_S_MAX)


def test_a_login_is_published_without_a_token(cloud: Stack, listener: BusListener) -> None:
    """The users table's stream publishes a login; most other changes of that table are filtered out."""
    demo.connect(cloud.api, cloud.callers.token(_NEWCOMER), _NEWCOMER, "SandboxUser5")

    def logins() -> list[dict[str, Any]]:
        told = (event["data"] for event in listener.events("bg.connection.changed"))
        return [data for data in told if data["user_id"] == _NEWCOMER]

    assert wait_until(lambda: bool(logins()), WAIT_S_MAX)
    (data, *_) = logins()
    assert data["state"] == "connected"
    assert data.keys().isdisjoint({"sealed_tokens", "account"})


def _sync(patient: Api, since: datetime) -> None:
    """Run a sync; try again while the schedule's own sync runs."""
    body = {"from": f"{since:%Y-%m-%dT%H:%M:%SZ}"}

    def has_run() -> bool:
        return patient.post(f"/api/bg/{_WATCHED.user_id}/sync", body).status_code == 200

    assert wait_until(has_run, WAIT_S_MAX)
