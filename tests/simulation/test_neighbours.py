"""Users are served on time while other users' calls fail.

The whole deployed service runs in virtual time; the simulated Dexcom makes the faults of single users.
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
from tests.simulation.service import INTERVAL_S, VirtualService, due_together
from tests.support.fakes import NOON

if TYPE_CHECKING:
    from dexcom_sim.faults import Fault

ROUNDS = 2
RULES = CircuitRules()
# An order that is refused because of other users is tried four times more, and those waits are shorter than
# the shortest interval. This seed takes two minutes; others take four, and a few lose a poll to the three
# failing users.
LATE_S_MAX = 240
# A deferred poll returns after at least five seconds.
FIRST_TRY_S_MAX = 5
MINUTE = 4
GOOD = list(islice(due_together("good", MINUTE), 50))
FAILING, SLOW, THROTTLED, BUSY = (
    next(due_together(name, MINUTE)) for name in ("a-failing", "b-slow", "c-throttled", "d-busy")
)
FAULTS: dict[str, Fault] = {
    FAILING: StatusFault(status=500, user="SandboxUser1"),
    SLOW: SlowHeaders(wait_s=35, user="SandboxUser2"),
    THROTTLED: StatusFault(status=429, retry_after_s=3_600, user="SandboxUser3"),
}
BACKLOG = 40
OUTAGE_CALLS_MAX = 110  # Of 150: three attempts for each of fifty users.


@pytest.mark.large
def test_fifty_users_are_on_time_while_others_fail() -> None:
    """One account always fails, one is slow, one is throttled, and one user has forty waiting orders.

    In each interval all fifty other users are polled within four minutes of the due time.
    """
    service = VirtualService()
    engine = service.engine
    _connect_all(service, GOOD)
    for user_id, fault in FAULTS.items():
        assert fault.user is not None
        engine.connect(user_id, fault.user, NOON - DAY)
        service.world.add_fault(fault)
    engine.connect(BUSY, "SandboxUser4", NOON - DAY)
    service.jobs_queue.send(engine.order(BUSY, trigger=Trigger.API) for _ in range(BACKLOG))

    service.run(ROUNDS * INTERVAL_S)

    assert _late_s_max(service, GOOD) < LATE_S_MAX
    assert [service.succeeded_at_s(user_id) for user_id in FAULTS] == [[], [], []]
    assert len(service.succeeded_at_s(BUSY)) >= BACKLOG
    assert not service.dead


@pytest.mark.parametrize("neighbours", [3, 20])
def test_a_failing_account_delays_no_other_user(neighbours: int) -> None:
    """The failing account is polled a minute before the others, and its user has requested more syncs.

    The breaker stops its calls; all other users are polled at the first try.
    """
    service = VirtualService()
    good, failing = GOOD[:neighbours], next(due_together("failing", MINUTE - 1))
    _connect_all(service, good)
    service.engine.connect(failing, "SandboxUser1", NOON - DAY)
    service.world.add_fault(FAULTS[FAILING])
    service.jobs_queue.send([service.engine.order(failing, trigger=Trigger.API)])

    service.run(ROUNDS * INTERVAL_S)

    assert _late_s_max(service, good) < FIRST_TRY_S_MAX
    assert service.succeeded_at_s(failing) == []


def test_an_outage_costs_few_calls_beside_those_in_flight() -> None:
    """Fifty users are due in the minute of the outage, and their first calls are made at the same time.

    A process opens the circuit after ten failures of its own, so most users never make their third attempt.
    """
    service = VirtualService()
    service.world.add_fault(StatusFault(status=503))
    _connect_all(service, GOOD)
    due_at = NOON + timedelta(minutes=service.minutes_until(MINUTE))

    service.run((service.minutes_until(MINUTE) + 2) * 60)

    calls_at = [datetime.fromisoformat(call["at"]) for call in service.world.calls.report()["recent"]]
    first = min(at for at in calls_at if at >= due_at)
    early = [at for at in calls_at if first <= at < first + RULES.recovery]
    assert len(early) <= OUTAGE_CALLS_MAX
    assert not [at for at in early if at > first + RULES.settle]


def _connect_all(service: VirtualService, good: list[str]) -> None:
    for user_id in good:
        service.engine.connect(user_id, "SandboxUser7", NOON - DAY)
    service.world.add_fault(SlowHeaders(wait_s=0.5, user="SandboxUser7"))  # The duration of an answer.


def _late_s_max(service: VirtualService, good: list[str]) -> float:
    """Return the delay of the latest poll; each user must have one in each interval."""
    first_s = service.minutes_until(MINUTE) * 60
    late_s = []
    for user_id in good:
        succeeded_at_s = service.succeeded_at_s(user_id)
        assert len(succeeded_at_s) == ROUNDS, user_id
        late_s += [at_s - first_s - number * INTERVAL_S for number, at_s in enumerate(succeeded_at_s)]
    return max(late_s)
