"""After an outage and throttled tables the data of users with servers of their own is complete."""

from __future__ import annotations

from tests.faults.service import INTERVAL_S, Service

_INTERVAL_MINUTES = INTERVAL_S // 60


def test_all_readings_of_own_servers_are_stored() -> None:
    """An hour in which the servers are down and one of throttled tables leave nothing behind."""
    service = Service(3, over_own_sites=True)
    assert not service.incomplete()
    service.provider.down = True
    service.run(minutes=60)
    assert len(service.incomplete()) == 3
    service.provider.down = False
    assert service.minutes_until_complete(60) <= 2 * _INTERVAL_MINUTES
    service.dynamo.rate = 0.05
    service.run(minutes=60)
    service.dynamo.rate = 0.0
    service.minutes_until_complete(120)

    assert service.missing() == 0
    assert not service.held()
    assert not service.queue.dead
