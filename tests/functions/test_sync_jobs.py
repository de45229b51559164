"""The job routes of the sync function, and when a sync is queued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.ids import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.wiring import aws_clients, queue_parts
from bg_ingest.wiring.sync_parts import sync_service
from tests.functions.conftest import REGION, part

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


def test_a_job_is_running_once_its_lease_is_taken(world: FunctionsWorld) -> None:
    """The job and the list of jobs say `queued` before and `running` after."""
    order = Order("demo", new_id(SystemClock().now()), JobKind.RECONCILE, Trigger.API, "id")
    part(sync_service).enqueue(order)

    def shown() -> list[str]:
        path = {"userId": "demo", "jobId": order.job_id}
        where = {"rawPath": f"/api/bg/demo/sync/jobs/{order.job_id}", "pathParameters": path}
        one = world.invoke("sync", world.event("sync_job", **where))
        some = world.invoke("sync", world.event("sync_jobs"))
        return [json.loads(one["body"])["status"], *(job["status"] for job in json.loads(some["body"]))]

    assert shown() == ["queued", "queued"]
    part(queue_parts.states).take(order)
    assert shown() == ["running", "running"]


def test_pages_of_jobs_end_after_the_last_job(world: FunctionsWorld) -> None:
    """The links show each job once, newest first; the last page has no link, even if it is full."""
    orders = [
        Order("demo", new_id(SystemClock().now()), JobKind.RECONCILE, Trigger.API, "id") for _ in range(4)
    ]
    for order in orders:
        part(sync_service).enqueue(order)

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
def test_no_sync_is_queued_without_a_connection(world: FunctionsWorld, name: str) -> None:
    """The caller gets 409 at once, the same for a removed connection and for one that never existed."""
    world.invoke("connect", world.event("connect_remove"))
    removed = world.invoke("sync", world.event(name))
    part(queue_parts.connections).table.delete("demo", "connection")
    unknown = world.invoke("sync", world.event(name))

    assert [answer["statusCode"] for answer in (removed, unknown)] == [409, 409]
    assert removed["body"] == unknown["body"]
    assert json.loads(removed["body"])["type"].endswith("/not-connected")
    assert list(part(queue_parts.jobs).newest_first("demo")) == []


@pytest.mark.parametrize("name", ["sync_start_async", "sync_reconcile"])
def test_no_sync_is_queued_for_a_revoked_connection(world: FunctionsWorld, name: str) -> None:
    """The caller gets 409 at once: the provider rejects the tokens."""
    connection = part(queue_parts.connections).get("demo")
    assert connection is not None
    assert part(queue_parts.connections).mark_needs_reauth("demo", connection.generation)
    answer = world.invoke("sync", world.event(name))

    assert json.loads(answer["body"])["type"].endswith("/reauthorization-needed")
    assert list(part(queue_parts.jobs).newest_first("demo")) == []


def test_a_deferred_sync_is_queued_with_a_delay(world: FunctionsWorld) -> None:
    """The provider is down, so the message is delayed."""
    assert world.invoke("sync", world.event("sync_start"))["statusCode"] == 503

    told = aws_clients.sqs(REGION).get_queue_attributes(
        QueueUrl=part(queue_parts.jobs_queue).url, AttributeNames=["All"]
    )
    assert told["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_sync_that_crashed_is_retried_from_the_queue(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets 500, the job says `deferred`, and its message is in the queue."""
    world.restarted(monkeypatch, DYNAMODB_TABLE="no-such-table")

    assert world.invoke("sync", world.event("sync_start"))["statusCode"] == 500
    (job,) = json.loads(world.invoke("sync", world.event("sync_jobs"))["body"])
    queued = (
        aws_clients.sqs(REGION).receive_message(QueueUrl=part(queue_parts.jobs_queue).url).get("Messages", [])
    )
    assert job["status"] == "deferred"
    assert [json.loads(message["Body"])["job_id"] for message in queued] == [job["job_id"]]
