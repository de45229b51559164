"""The job routes of the sync function, and when a sync is queued."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock, new_id
from bg_ingest.sync.job import Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.wiring import queue_parts
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


def test_one_job_waits_however_often_a_sync_is_posted(world: FunctionsWorld) -> None:
    """The first gets 503, and every other the address of the waiting job; one message is in the queue."""
    first, *others = (world.invoke("sync", world.event("sync_start")) for _ in range(4))
    queued = world.invoke("sync", world.event("sync_start_async", body="{}"))
    job_id = json.loads(first["body"])["job_id"]

    assert first["statusCode"] == 503
    for answer in (*others, queued):
        assert answer["statusCode"] == 202
        assert answer["headers"]["Location"].endswith(f"/sync/jobs/{job_id}")
        assert json.loads(answer["body"])["status"] == "deferred"
    assert all(int(answer["headers"]["Retry-After"]) >= 30 for answer in others)
    assert [job.order.job_id for job in part(queue_parts.jobs).newest_first("demo")] == [job_id]
    assert len(_messages()) == 1


def test_a_job_of_another_range_does_not_answer(world: FunctionsWorld) -> None:
    """What waits for a range is not what a poll would fetch, and the other way round."""
    start = (SystemClock().now() - timedelta(days=2)).isoformat()
    bodies = ["{}", json.dumps({"from": start, "to": (SystemClock().now() - timedelta(days=1)).isoformat()})]
    statuses = [
        [world.invoke("sync", world.event("sync_start", body=body))["statusCode"] for body in bodies]
        for _ in range(2)
    ]

    assert statuses == [[503, 503], [202, 202]]
    assert len(_messages()) == 2


def test_a_job_that_waits_too_long_does_not_answer(
    world: FunctionsWorld,
) -> None:
    """Its message may be lost, so the next request queues another job."""
    jobs = part(queue_parts.jobs)
    order = Order("demo", new_id(SystemClock().now() - timedelta(minutes=31)), *_ASKED_BY_API)
    jobs.save(Job(order, JobStatus.QUEUED))

    assert world.invoke("sync", world.event("sync_start"))["statusCode"] == 503
    assert len(list(jobs.newest_first("demo"))) == 2


_ASKED_BY_API = (JobKind.INCREMENTAL, Trigger.API, "id")


def _messages() -> list[Any]:
    url = part(queue_parts.jobs_queue).url
    found = aws_clients.sqs(REGION).receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    delayed = aws_clients.sqs(REGION).get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )
    count = int(delayed["Attributes"]["ApproximateNumberOfMessagesDelayed"])
    return [*found.get("Messages", []), *range(count)]
