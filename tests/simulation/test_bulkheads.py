"""A backlog in one queue delays no other.

The whole deployed service runs in virtual time, with as many processes for each queue as the template says.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from bg_ingest.clock import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from dexcom_sim.faults import SlowHeaders
from tests.simulation.provider import DAY, HOUR
from tests.simulation.service import INTERVAL_S, VirtualService, due_together
from tests.support.fakes import NOON

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.large
MINUTE = (int(NOON.timestamp()) // 60 + 1) % (INTERVAL_S // 60)  # A minute after noon.
POLLED = list(islice(due_together("polled", MINUTE), 30))
HISTORIES, SLOW_S = 5_000, 8.0
PUSHED_AFTER_S = 30
PROCESSED_S_MAX = 5.0


def _order(user_id: str, kind: JobKind, trigger: Trigger, at: datetime) -> Order:
    return Order(user_id, new_id(at), kind, trigger, "id")


def test_slow_histories_delay_neither_polls_nor_webhooks() -> None:
    """5,000 users wait for their histories, and each call for them takes eight seconds.

    Meanwhile polls are carried out at once, and a webhook within five seconds.
    """
    service = VirtualService()
    for number in range(HISTORIES):
        user_id = f"new-{number}"
        service.engine.connect(user_id, "SandboxUser1", NOON - HOUR)
        service.engine.stores.states.stop_polling(user_id)  # Their polls would be slow, too.
        service.jobs_queue.send([_order(user_id, JobKind.BACKFILL, Trigger.CONNECTION, NOON)])
    service.world.add_fault(SlowHeaders(wait_s=SLOW_S, user="SandboxUser1"))
    for user_id in (*POLLED, "pushed"):
        service.engine.connect(user_id, "SandboxUser2", NOON - DAY)
    pushed_at = NOON + timedelta(seconds=PUSHED_AFTER_S)

    def push() -> None:
        service.time.sleep(PUSHED_AFTER_S)
        service.jobs_queue.send([_order("pushed", JobKind.INCREMENTAL, Trigger.WEBHOOK, pushed_at)])

    service.time.start(push)
    waiting: list[int] = []

    def look() -> None:
        service.time.sleep(60)
        waiting.append(len(service.lanes["Bulk"].queue.messages))

    service.time.start(look)
    service.run(120)

    waited_s = [at_s - 60 for user_id in POLLED for at_s in service.succeeded_at_s(user_id)]
    assert len(waited_s) == len(POLLED)
    assert max(waited_s) < PROCESSED_S_MAX
    assert service.succeeded_at_s("pushed")[0] - PUSHED_AFTER_S < PROCESSED_S_MAX
    assert waiting[0] > HISTORIES * 0.9
