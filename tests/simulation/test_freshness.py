"""Polls that became pointless while they waited cost no call.

The whole deployed service runs in virtual time, with the real transport, breaker and quota.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from bg_ingest.clock import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from tests.simulation.provider import DAY
from tests.simulation.service import INTERVAL_S, VirtualService, due_together
from tests.support.fakes import NOON

USERS = list(islice(due_together("waiting", 4), 30))
QUEUED = 16


def test_sixteen_queued_polls_of_one_user_cost_one_call() -> None:
    """The first poll that runs fetches what all sixteen would have fetched."""
    service = VirtualService()
    service.engine.connect("ada", "SandboxUser1", NOON - DAY)
    service.jobs_queue.send(
        Order("ada", new_id(NOON - timedelta(seconds=second)), JobKind.INCREMENTAL, Trigger.SCHEDULE, "id")
        for second in range(1, QUEUED + 1)
    )

    service.run(59)

    assert len(_calls(service)) == 1
    assert not service.messages
    assert len(service.succeeded_at_s("ada")) == 1


def test_after_an_hour_without_workers_each_user_costs_one_call() -> None:
    """Of four queued polls of each user three are older than the interval, and no call is made for them."""
    service = VirtualService()
    for user_id in USERS:
        service.engine.connect(user_id, "SandboxUser1", NOON - DAY)
    polls = service.lanes["Polls"]
    workers, polls.free = polls.free, []
    service.run(3_600)
    assert len(service.messages) == len(USERS) * 3_600 // INTERVAL_S
    polls.free = workers

    service.run(60)

    assert len(_calls(service)) == len(USERS)
    assert all(len(service.succeeded_at_s(user_id)) == 1 for user_id in USERS)


def _calls(service: VirtualService) -> list[str]:
    return [call["path"] for call in service.world.calls.report()["recent"] if call["path"].endswith("/egvs")]
