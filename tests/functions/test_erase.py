"""Erasing everything about a user, by one call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bg_ingest.settings import settings
from bg_ingest.wiring import aws_clients, stores

if TYPE_CHECKING:
    from tests.functions.conftest import World


def test_a_person_is_erased_with_a_receipt(world: World) -> None:
    """What was removed is counted; what is asked for afterwards is not there."""
    world.invoke("connect", world.event("connect_start"))
    answer = world.invoke("erase", world.event("erase_user"))

    receipt = json.loads(answer["body"])
    assert answer["statusCode"] == 200
    assert receipt.keys() == {"receipt_id", "erased_at", "removed"}
    assert receipt["removed"]["readings"] == 12
    assert (
        receipt["removed"].items() >= {"connections": 1, "logins": 1, "audit_entries": 1, "jobs": 0}.items()
    )
    assert world.invoke("query", world.event("query_latest"))["statusCode"] == 404
    assert (
        json.loads(world.invoke("connect", world.event("connect_state"))["body"])["state"] == "disconnected"
    )


def test_repeating_it_is_safe(world: World) -> None:
    """The same receipt, however often."""
    first, second = (world.invoke("erase", world.event("erase_user")) for _ in range(2))

    assert (second["statusCode"], second["body"]) == (200, first["body"])


def test_what_comes_late_is_removed_by_the_second_look(world: World) -> None:
    """The queue holds the request for it back for minutes; then a straggler's hour goes too."""
    world.invoke("erase", world.event("erase_user"))
    attributes = aws_clients.sqs().get_queue_attributes(
        QueueUrl=settings().erasures_queue_url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"
    stores.readings_table().put({"pk": "demo", "sk": "2026-11-21T05", "readings": "{}", "version": 1})

    look = world.event("erase_second_look")
    look["Records"][0]["body"] = json.dumps({"user_id": "demo"})

    assert world.invoke("erase", look) is None
    assert list(stores.readings_table().query("pk = :pk", {":pk": "demo"})) == []


def test_erasing_is_the_persons_and_the_writers_right(world: World) -> None:
    """A service that may read may not erase."""
    event = world.event("erase_user")
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {
        "sub": "s",
        "username": "s",
        "scope": "bg/read",
    }
    assert world.invoke("erase", event)["statusCode"] == 403

    event["requestContext"]["authorizer"]["jwt"]["claims"]["scope"] = "bg/write"
    assert world.invoke("erase", event)["statusCode"] == 200
