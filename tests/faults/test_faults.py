"""After hours of trouble: nobody misses a reading, nobody has one twice, no order and no lease is left."""

from __future__ import annotations

import pytest

from bg_ingest.sync.job import JobKind
from tests.faults.service import INTERVAL_S, Service

USERS = 4
_INTERVAL_MINUTES = INTERVAL_S // 60


@pytest.fixture
def service() -> Service:
    """A few users, all of them whole."""
    service = Service(USERS)
    assert not service.incomplete()
    return service


def _must_be_clean(service: Service) -> None:
    assert not service.incomplete()
    assert service.missing() == 0
    assert not service.held()


def test_six_hours_without_the_provider(service: Service) -> None:
    """An interval after it is back, all that was missed is there, and what was ordered meanwhile is done."""
    service.provider.down = True
    service.run(minutes=60)
    for user_id in service.users[:3]:
        service.ask(user_id, JobKind.RECONCILE)
    service.run(minutes=300)
    assert len(service.incomplete()) == USERS

    service.provider.down = False
    # An order that was put off for the last time just before waits for a quarter of an hour.
    assert service.minutes_until_whole(60) <= 2 * _INTERVAL_MINUTES

    _must_be_clean(service)
    assert not service.queue.dead


def test_an_outage_leaves_no_backlog_of_polls(service: Service) -> None:
    """However long it lasts, no more than a few messages for each user wait for its end."""
    service.provider.down = True
    service.run(minutes=360)

    assert service.queue.longest <= 3 * USERS


def test_throttled_tables(service: Service) -> None:
    """For three hours every twentieth call to DynamoDB is refused, at any step of anything."""
    service.dynamo.rate = 0.05
    service.run(minutes=180)
    service.dynamo.rate = 0.0
    service.minutes_until_whole(120)

    _must_be_clean(service)


@pytest.mark.parametrize("step_s", [-120.0, -3_600.0, 120.0, 3_600.0])
def test_a_clock_that_steps(service: Service, step_s: float) -> None:
    """Back or forth, by minutes or by an hour: when it goes on, everything is caught up with."""
    service.run(minutes=20)
    service.clock.set_back(-step_s)
    service.run(minutes=90)
    service.minutes_until_whole(60)

    _must_be_clean(service)


def test_the_check_notices_a_reading_that_is_missing(service: Service) -> None:
    """And one that is wrong; else it would prove nothing."""
    readings = service.dynamo.memory.tables["readings"]
    key = min(key for key in readings if key[0] == service.users[0])
    del readings[key]

    assert service.incomplete() == service.users[:1]
    assert service.missing() > 0
