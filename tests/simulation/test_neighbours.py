"""
People whose neighbours are in all kinds of trouble are served on time.

Whole services, as they are deployed, in virtual time; each user's trouble is made by the simulated Dexcom.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.sync.job import Trigger
from dexcom_sim.faults import SlowHeaders, StatusFault
from tests.simulation.provider import DAY
from tests.simulation.service import INTERVAL_S, Service, due_together
from tests.support.fakes import NOON

if TYPE_CHECKING:
    from dexcom_sim.faults import Fault

ROUNDS = 2
RULES = CircuitRules()
# Who is refused because of others is tried four times more, and the waits for that last less than the
# shortest interval. This seed takes two minutes; others were seen to take four, and a few to lose a poll to
# the three that are in trouble together.
LATE_S_MAX = 240
# A poll that is put off comes back after five seconds at the earliest.
FIRST_TRY_S_MAX = 5
MINUTE = 4
GOOD = list(islice(due_together("good", MINUTE), 50))
FAILING, SLOW, THROTTLED, BUSY = (
    next(due_together(name, MINUTE)) for name in ("a-failing", "b-slow", "c-throttled", "d-busy")
)
TROUBLES: dict[str, Fault] = {
    FAILING: StatusFault(status=500, user="SandboxUser1"),
    SLOW: SlowHeaders(wait_s=35, user="SandboxUser2"),
    THROTTLED: StatusFault(status=429, retry_after_s=3_600, user="SandboxUser3"),
}
BACKLOG = 40


def test_fifty_are_served_on_time_whatever_their_neighbours_trouble_is() -> None:
    """
    One account always fails, one is always slow, one is throttled, and one user has forty orders waiting.

    In each interval all fifty others get their poll, within four minutes of when it was due.
    """
    service = Service()
    engine = service.engine
    _connect_all(service, GOOD)
    for user_id, trouble in TROUBLES.items():
        assert trouble.user is not None
        engine.connect(user_id, trouble.user, NOON - DAY)
        service.world.add_fault(trouble)
    engine.connect(BUSY, "SandboxUser4", NOON - DAY)
    service.jobs_queue.send(engine.order(BUSY, trigger=Trigger.API) for _ in range(BACKLOG))

    service.run(ROUNDS * INTERVAL_S)

    assert _late_s_max(service, GOOD) < LATE_S_MAX
    assert [service.succeeded_at_s(user_id) for user_id in TROUBLES] == [[], [], []]
    assert len(service.succeeded_at_s(BUSY)) >= BACKLOG
    assert not service.queue.dead


@pytest.mark.parametrize("neighbours", [3, 20])
def test_an_account_that_always_fails_makes_nobody_wait(neighbours: int) -> None:
    """
    It is polled a minute before the others, and somebody has asked for more of it: it fails alone, in a row.

    The calls for it stop; all others get their polls at the first try.
    """
    service = Service()
    good, failing = GOOD[:neighbours], next(due_together("failing", MINUTE - 1))
    _connect_all(service, good)
    service.engine.connect(failing, "SandboxUser1", NOON - DAY)
    service.world.add_fault(TROUBLES[FAILING])
    service.jobs_queue.send([service.engine.order(failing, trigger=Trigger.API)])

    service.run(ROUNDS * INTERVAL_S)

    assert _late_s_max(service, good) < FIRST_TRY_S_MAX
    assert service.succeeded_at_s(failing) == []


def test_an_outage_costs_few_calls_beside_those_on_their_way() -> None:
    """Fifty are due in the minute in which Dexcom fails; it fails at once, so that none are on their way."""
    service = Service()
    service.world.add_fault(StatusFault(status=503))
    _connect_all(service, GOOD)
    due_at = NOON + timedelta(minutes=service.minutes_until(MINUTE))

    service.run(2 * INTERVAL_S)

    calls_at = [datetime.fromisoformat(call["at"]) for call in service.world.calls.report()["recent"]]
    calls = sum(due_at <= at < due_at + RULES.recovery for at in calls_at)
    assert RULES.calls_min <= calls <= RULES.calls_min + RULES.alone_failures


def _connect_all(service: Service, good: list[str]) -> None:
    for user_id in good:
        service.engine.connect(user_id, "SandboxUser7", NOON - DAY)
    service.world.add_fault(SlowHeaders(wait_s=0.5, user="SandboxUser7"))  # As long as an answer takes.


def _late_s_max(service: Service, good: list[str]) -> float:
    """How late the latest poll of them all was; each has to have got one in each interval."""
    first_s = service.minutes_until(MINUTE) * 60
    late_s = []
    for user_id in good:
        succeeded_at_s = service.succeeded_at_s(user_id)
        assert len(succeeded_at_s) == ROUNDS, user_id
        late_s += [at_s - first_s - number * INTERVAL_S for number, at_s in enumerate(succeeded_at_s)]
    return max(late_s)
