"""The whole service with 150 processes, while the tables throttle, Dexcom fails and the quota runs out.

The real client, breaker and quota run in virtual time. Afterwards every user has every reading once.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import pytest

from bg_ingest.providers.http.quota import QuotaRules
from bg_ingest.sync.job import JobKind, Trigger
from bg_ingest.sync.orders.queue import parse_order
from dexcom_sim.faults import StatusFault
from tests.simulation.provider import HOUR
from tests.simulation.service import INTERVAL_S, VirtualService, due_together
from tests.support.fakes import NOON

pytestmark = pytest.mark.large
PROCESSES = {"Jobs": 10, "Polls": 130, "Bulk": 10}
# All users are due in one minute, so that all processes call at once.
MINUTE = (int(NOON.timestamp()) // 60 + 2) % (INTERVAL_S // 60)
USERS = list(islice(due_together("user", MINUTE), 50))
# Two polls of each user, their retries and the histories spend it within half an hour.
QUOTA = QuotaRules(calls_per_hour=125, sharers=150)
# A process may make a call of its own while it cannot write the quota's item.
CALLS_MAX = 1.1 * QUOTA.calls_per_hour
THROTTLED, FAILING = 0.02, 0.1
FAULTS_S, CALM_S = 30 * 60, 40 * 60
# The stretched interval, in the hour after one that has spent its quota.
WAIT_MAX = timedelta(hours=1)
OUTAGE_S = 120.0


def run(seed: int) -> None:
    """Run one seed with all faults, then without them until all orders are done."""
    service = VirtualService(seed=seed, processes=PROCESSES, batch=1, quota=QUOTA)
    engine = service.engine
    for number, user_id in enumerate(USERS):
        engine.connect(user_id, f"SandboxUser{1 + number % 4}", NOON - HOUR)
    service.jobs_queue.send(engine.order(user_id, JobKind.BACKFILL, Trigger.API) for user_id in USERS[:20])
    service.dynamo.rate = THROTTLED
    service.world.add_fault(StatusFault(status=503, rate=FAILING, path="*egvs", lasts_s=FAULTS_S))

    def outage() -> None:
        service.time.sleep(service.minutes_until(MINUTE) * 60 + INTERVAL_S)
        service.world.add_fault(StatusFault(status=500, path="*egvs", lasts_s=OUTAGE_S))

    service.time.start(outage)
    service.run(FAULTS_S)
    calls = service.world.calls.report()["by_path"]
    assert QUOTA.calls_per_hour <= calls["/v3/users/self/egvs"] <= CALLS_MAX, "the quota was exceeded"

    service.dynamo.rate = 0.0
    service.run(CALM_S)
    since = service.time.now() - WAIT_MAX
    for user_id in USERS:
        state = engine.stores.states.get(user_id)
        assert state is not None
        assert state.running is None, "a lease is held"
        assert state.last_success_at is not None
        assert state.last_success_at >= since, "a user was not polled"
        due = {
            at_s
            for at_s in engine.shown(user_id, NOON - HOUR)
            if at_s < state.last_success_at.timestamp() - 1
        }
        assert due <= engine.stored(user_id, NOON - HOUR), "a reading is missing"
    assert not service.dead, "an order became a dead letter"
    left = [parse_order(message.body) for message in service.messages]
    assert all(order.is_poll for order in left), "an order was not carried out"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run one seed by default, and ten in `make simulation`."""
    metafunc.parametrize("seed", range(max(1, metafunc.config.getoption("--seeds") // 250)))


def test_150_processes_lose_no_reading_and_exceed_no_quota(seed: int) -> None:
    """After all faults every user is polled, and no order, lease or dead letter is left."""
    run(seed)
