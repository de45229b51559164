"""What the tests of the webhook have in common: sending one, and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bg_ingest.wiring import aws_clients, stores
from tests.functions import described

if TYPE_CHECKING:
    from tests.functions.conftest import World

METHOD, PATH = "POST", "/api/bg/{userId}/webhook"


def sent(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """The answer, which is one of those that are described."""
    answer: dict[str, Any] = world.invoke("webhook", event)
    described.check(METHOD, PATH, answer)
    return answer


def kind_of(answer: dict[str, Any]) -> str:
    """Which kind of problem an answer is."""
    return str(json.loads(answer["body"])["type"]).rpartition("/")[2]


def queued() -> list[dict[str, Any]]:
    """What is in the queue; it is hidden from then on."""
    answer = aws_clients.sqs().receive_message(QueueUrl=stores.queue().url, MaxNumberOfMessages=10)
    return answer.get("Messages", [])  # type: ignore[return-value]  # As it comes.


def worked(world: World) -> None:
    """The worker takes what is in the queue."""
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
    """The same webhook, to the address of another user."""
    return (
        event
        | {"pathParameters": {"userId": user_id}, "rawPath": f"/api/bg/{user_id}/webhook"}
        | {
            "requestContext": event["requestContext"]
            | {"http": event["requestContext"]["http"] | {"path": f"/api/bg/{user_id}/webhook"}}
        }
    )
