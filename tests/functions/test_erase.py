"""The erase function: removing all data of a user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bg_ingest.aws import aws_clients
from bg_ingest.wiring.process import process, readings_table
from tests.functions.conftest import REGION, part

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


def test_erasing_a_user_returns_a_receipt(world: FunctionsWorld) -> None:
    """The receipt counts what was removed, and a later request for the data is 404."""
    world.invoke("connect", world.event("connect_start"))
    answer = world.invoke("erase", world.event("erase_user"))

    receipt = json.loads(answer["body"])
    assert answer["statusCode"] == 200
    assert receipt.keys() == {"receipt_id", "erased_at", "actor", "removed"}
    assert receipt["actor"]["kind"] == "person"
    assert receipt["removed"]["readings"] == 12
    assert (
        receipt["removed"].items() >= {"connections": 1, "logins": 1, "audit_entries": 1, "jobs": 0}.items()
    )
    assert world.invoke("query", world.event("query_latest"))["statusCode"] == 404
    assert (
        json.loads(world.invoke("connect", world.event("connect_state"))["body"])["state"] == "disconnected"
    )


def test_repeating_an_erasure_returns_the_same_receipt(world: FunctionsWorld) -> None:
    """The second response equals the first."""
    first, second = (world.invoke("erase", world.event("erase_user")) for _ in range(2))

    assert (second["statusCode"], second["body"]) == (200, first["body"])


def test_data_written_during_an_erasure_is_removed_later(world: FunctionsWorld) -> None:
    """A delayed message makes the function erase again, minutes later."""
    world.invoke("erase", world.event("erase_user"))
    attributes = aws_clients.sqs(REGION).get_queue_attributes(
        QueueUrl=process().settings.erasures_queue_url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"
    part(readings_table).put({"pk": "demo", "sk": "2026-11-21T05", "readings": "{}", "version": 1})

    look = world.event("erase_second_look")
    look["Records"][0]["body"] = json.dumps({"user_id": "demo"})

    assert world.invoke("erase", look) is None
    assert list(part(readings_table).query("pk = :pk", {":pk": "demo"})) == []


def test_erasing_needs_the_write_scope(world: FunctionsWorld) -> None:
    """A service with the read scope gets 403, and one with the write scope may erase."""
    event = world.event("erase_user")
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {
        "sub": "a-service",
        "username": "a-service",
        "scope": "bg/read",
    }
    assert world.invoke("erase", event)["statusCode"] == 403

    event["requestContext"]["authorizer"]["jwt"]["claims"]["scope"] = "bg/write"
    assert world.invoke("erase", event)["statusCode"] == 200
