"""Helpers of the webhook tests: send a webhook, run the worker, read the queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bg_ingest.aws import aws_clients
from bg_ingest.wiring import queue_parts
from tests.functions import api_document
from tests.functions.conftest import REGION, part

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

METHOD, PATH = "POST", "/api/bg/{userId}/webhook"


def sent(world: FunctionsWorld, event: dict[str, Any]) -> dict[str, Any]:
    """Send a webhook; return the response, which must be described."""
    answer: dict[str, Any] = world.invoke("webhook", event)
    api_document.check(METHOD, PATH, answer)
    return answer


def kind_of(answer: dict[str, Any]) -> str:
    """Return the kind of problem of a response."""
    return str(json.loads(answer["body"])["type"]).rpartition("/")[2]


def queued() -> list[dict[str, Any]]:
    """Receive the messages of the queue, which hides them from then on."""
    answer = aws_clients.sqs(REGION).receive_message(
        QueueUrl=part(queue_parts.jobs_queue).url, MaxNumberOfMessages=10
    )
    return answer.get("Messages", [])  # type: ignore[return-value]  # boto3 types the messages more narrowly.


def worked(world: FunctionsWorld) -> None:
    """Let the worker carry out the messages of the queue."""
    event = world.event("worker_poll")
    like = event["Records"][0]
    event["Records"] = [
        like
        | {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
        }
        for message in queued()
    ]
    assert world.invoke("worker", event) == {"batchItemFailures": []}


def about(event: dict[str, Any], user_id: str) -> dict[str, Any]:
    """Return the same webhook, sent to the address of another user."""
    return (
        event
        | {"pathParameters": {"userId": user_id}, "rawPath": f"/api/bg/{user_id}/webhook"}
        | {
            "requestContext": event["requestContext"]
            | {"http": event["requestContext"]["http"] | {"path": f"/api/bg/{user_id}/webhook"}}
        }
    )
