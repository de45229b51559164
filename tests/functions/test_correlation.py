"""Correlation ids: one id in the logs, responses, jobs and messages of a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock
from bg_ingest.wiring import queue_parts
from tests.functions.conftest import REGION, part

if TYPE_CHECKING:
    import pytest

    from tests.functions.conftest import FunctionsWorld

    Printed = pytest.CaptureFixture[str]


def _lines(capsys: Printed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_request_has_one_correlation_id_everywhere(world: FunctionsWorld, capsys: Printed) -> None:
    """The log lines, the response, the job and the queue message of a request have the same id."""
    event = world.event("sync_start_async")
    event["headers"] |= {"x-correlation-id": "ticket-4711"}
    answer = world.invoke("sync", event)

    assert answer["headers"]["X-Correlation-ID"] == "ticket-4711"
    assert json.loads(answer["body"])["correlation_id"] == "ticket-4711"
    assert {line["correlation_id"] for line in _lines(capsys)} == {"ticket-4711"}
    assert [message["correlation_id"] for message in _messages()] == ["ticket-4711"]


def test_a_tick_has_one_correlation_id_everywhere(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """The request id of the tick is the correlation id of the syncs that it queues."""
    world.restarted(monkeypatch, POLL_INTERVAL_SECONDS="60")
    part(queue_parts.states).start_polling("ada", 60, SystemClock().now())
    world.invoke("dispatch", world.event("dispatch_tick"))
    sqs = aws_clients.sqs(REGION)
    shards = sqs.receive_message(QueueUrl=part(queue_parts.shards_queue).url, MaxNumberOfMessages=10)
    event = world.event("dispatch_shard")
    record = event["Records"][0]
    event["Records"] = [record | {"body": message["Body"]} for message in shards["Messages"]]
    assert world.invoke("dispatch", event) == {"batchItemFailures": []}

    lines = _lines(capsys)
    (told,) = [line for line in lines if line["message"] == "tick served"]
    served = [line["correlation_id"] for line in lines if line["message"] == "shard served"]
    assert served
    assert set(served) == {told["correlation_id"]}
    orders = _messages(part(queue_parts.jobs_queue).polls_url or "")
    # Every fifteenth minute is also that of the connected user.
    assert "ada" in {order["user_id"] for order in orders}
    assert {order["correlation_id"] for order in orders} == {told["correlation_id"]}


def _messages(url: str = "") -> list[dict[str, Any]]:
    url = url or part(queue_parts.jobs_queue).url
    answer = aws_clients.sqs(REGION).receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]
