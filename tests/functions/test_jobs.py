from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.ids import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.wiring import aws_clients, stores, syncing

if TYPE_CHECKING:
    from tests.functions.conftest import World


def test_a_job_shows_as_running_by_its_address_and_in_the_list(world: World) -> None:
    """Queued until its lease is taken, running from then on."""
    order = Order("demo", new_id(SystemClock().now()), JobKind.RECONCILE, Trigger.API, "id")
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


def test_pages_lead_to_every_job_once_and_end(world: World) -> None:
    """Newest first, by the Link of each; the last page has none, be it full or not."""
    orders = [
        Order("demo", new_id(SystemClock().now()), JobKind.RECONCILE, Trigger.API, "id") for _ in range(4)
    ]
    for order in orders:
        syncing.engine().queue(order)

    def pages(limit: int) -> list[list[str]]:
        query, found = {"limit": str(limit)}, []
        while query:
            page = world.invoke("sync", world.event("sync_jobs", queryStringParameters=query))
            found.append([job["job_id"] for job in json.loads(page["body"])])
            link = page["headers"].get("Link", "").partition(">")[0]
            query = dict(parse_qsl(urlsplit(link).query))
        return found

    newest_first = sorted((order.job_id for order in orders), reverse=True)
    assert pages(2) == [newest_first[:2], newest_first[2:]]
    assert pages(3) == [newest_first[:3], newest_first[3:]]
    assert pages(4) == [newest_first]


@pytest.mark.parametrize("name", ["sync_start_async", "sync_reconcile"])
def test_nothing_is_queued_for_who_has_to_connect_first(world: World, name: str) -> None:
    """The caller is told at once, and not by a job that fails later; never connected is like disconnected."""
    world.invoke("connect", world.event("connect_remove"))
    removed = world.invoke("sync", world.event(name))
    stores.connections().table.delete("demo", "connection")
    unknown = world.invoke("sync", world.event(name))

    assert [answer["statusCode"] for answer in (removed, unknown)] == [409, 409]
    assert removed["body"] == unknown["body"]
    assert json.loads(removed["body"])["type"].endswith("/not-connected")
    assert list(stores.jobs().newest_first("demo")) == []


@pytest.mark.parametrize("name", ["sync_start_async", "sync_reconcile"])
def test_nothing_is_queued_for_who_has_to_log_in_again(world: World, name: str) -> None:
    """Their tokens are refused, whoever asks."""
    connection = stores.connections().get("demo")
    assert connection is not None
    assert stores.connections().mark_needs_reauth("demo", connection.generation)
    answer = world.invoke("sync", world.event(name))

    assert json.loads(answer["body"])["type"].endswith("/reauthorization-needed")
    assert list(stores.jobs().newest_first("demo")) == []


def test_a_sync_that_is_put_off_is_not_tried_again_at_once(world: World) -> None:
    """The provider is down: the order waits out of the worker's sight."""
    assert world.invoke("sync", world.event("sync_start"))["statusCode"] == 503

    told = aws_clients.sqs().get_queue_attributes(QueueUrl=stores.queue().url, AttributeNames=["All"])
    assert told["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_sync_that_our_own_fault_ended_goes_on_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is told that it failed; its job is deferred, and that is true."""
    world.restarted(monkeypatch, DYNAMODB_TABLE="no-such-table")

    assert world.invoke("sync", world.event("sync_start"))["statusCode"] == 500
    (job,) = json.loads(world.invoke("sync", world.event("sync_jobs"))["body"])
    queued = aws_clients.sqs().receive_message(QueueUrl=stores.queue().url).get("Messages", [])
    assert job["status"] == "deferred"
    assert [json.loads(message["Body"])["job_id"] for message in queued] == [job["job_id"]]
