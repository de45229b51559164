from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock
from bg_ingest.sync.job import Kind, Order, Trigger, new_job_id
from bg_ingest.wiring import stores, syncing

if TYPE_CHECKING:
    from tests.functions.conftest import World


def test_a_job_shows_as_running_by_its_address_and_in_the_list(world: World) -> None:
    """Queued until its lease is taken, running from then on."""
    order = Order("demo", new_job_id(SystemClock().now()), Kind.RECONCILE, Trigger.API, "id")
    syncing.engine().queue(order)

    def shown() -> list[str]:
        path = {"userId": "demo", "jobId": order.job_id}
        where = {"rawPath": f"/api/bg/demo/sync/jobs/{order.job_id}", "pathParameters": path}
        one = world.invoke("sync", world.event("sync_job", **where))
        some = world.invoke("sync", world.event("sync_jobs"))
        return [json.loads(one["body"])["status"], *(job["status"] for job in json.loads(some["body"]))]

    assert shown() == ["queued", "queued"]
    stores.states().take(order)
    assert shown() == ["running", "running"]
