"""After long faults no reading is missing or stored twice, and no order or lease is left."""

from __future__ import annotations

import pytest

from bg_ingest.sync.job import JobKind
from tests.faults.service import INTERVAL_S, Service

USERS = 4
_INTERVAL_MINUTES = INTERVAL_S // 60


@pytest.fixture
def service() -> Service:
    """Return a service of a few users with complete readings."""
    service = Service(USERS)
    assert not service.incomplete()
    return service


def _assert_complete(service: Service) -> None:
    assert not service.incomplete()
    assert service.missing() == 0
    assert not service.held()


def test_all_readings_are_stored_after_a_six_hour_outage(service: Service) -> None:
    """An interval after the outage all readings are stored, and the orders from the outage are done."""
    service.provider.down = True
    service.run(minutes=60)
    for user_id in service.users[:3]:
        service.ask(user_id, JobKind.RECONCILE)
    service.run(minutes=300)
    assert len(service.incomplete()) == USERS

    service.provider.down = False
    # An order that was deferred for the last time just before the end waits for a quarter of an hour.
    assert service.minutes_until_complete(60) <= 2 * _INTERVAL_MINUTES

    _assert_complete(service)
    assert not service.queue.dead


def test_an_outage_leaves_no_backlog_of_polls(service: Service) -> None:
    """The queue holds only a few messages for each user, for any length of the outage."""
    service.provider.down = True
    service.run(minutes=360)

    assert service.queue.longest <= 3 * USERS


def test_all_readings_are_stored_after_throttling(service: Service) -> None:
    """Three hours in which every twentieth call to DynamoDB fails, at any step, leave nothing behind."""
    service.dynamo.rate = 0.05
    service.run(minutes=180)
    service.dynamo.rate = 0.0
    service.minutes_until_complete(120)

    _assert_complete(service)


@pytest.mark.parametrize("step_s", [-120.0, -3_600.0, 120.0, 3_600.0])
def test_all_readings_are_stored_after_clock_steps(service: Service, step_s: float) -> None:
    """After the clock steps back or forward, by minutes or an hour, all readings are stored."""
    service.run(minutes=20)
    service.clock.set_back(-step_s)
    service.run(minutes=90)
    service.minutes_until_complete(60)

    _assert_complete(service)


def test_the_check_detects_a_missing_reading(service: Service) -> None:
    """The check detects a missing reading and a wrong one."""
    readings = service.dynamo.memory.tables["readings"]
    key = min(key for key in readings if key[0] == service.users[0])
    del readings[key]

    assert service.incomplete() == service.users[:1]
    assert service.missing() > 0
