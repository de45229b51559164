"""The audit function: it records changes of readings that no request has made."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import SystemClock
from bg_ingest.wiring import store_parts
from tests.functions.conftest import part

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


def _recorded(user_id: str = "demo") -> list[tuple[str, str, str, str]]:
    return [
        (entry.actor, entry.action, entry.outcome, entry.correlation_id)
        for entry in part(store_parts.audit).newest_first(user_id)
    ]


def _happened_now(event: dict[str, Any], later: timedelta = timedelta(0)) -> dict[str, Any]:
    message = event["Records"][0]
    body = json.loads(message["body"]) | {"time": f"{SystemClock().now() + later:%Y-%m-%dT%H:%M:%SZ}"}
    message["body"] = json.dumps(body)
    return event


def test_a_revision_is_audited_once(world: FunctionsWorld) -> None:
    """The entry has the actor, the action and the time, however often the message is delivered."""
    event = _happened_now(world.event("audit_revision"))
    for _ in range(3):
        assert world.invoke("audit", event) == {"batchItemFailures": []}

    assert _recorded() == [
        ("ingestion", "readings revised (1)", "done", "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b")
    ]
    (entry,) = part(store_parts.audit).newest_first("demo")
    at = datetime.fromisoformat(json.loads(event["Records"][0]["body"])["time"])
    assert entry.at.astimezone(UTC) == at


def test_an_invalid_message_stays_queued_and_blocks_no_other(world: FunctionsWorld) -> None:
    """Only the invalid message is returned to the queue; the next one is recorded."""
    event = world.event("audit_poison")
    event["Records"][1]["body"] = _happened_now(world.event("audit_revision"))["Records"][0]["body"]

    answer = world.invoke("audit", event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert len(_recorded()) == 1


def test_expired_readings_are_audited_as_retention(world: FunctionsWorld) -> None:
    """The audit log distinguishes removal by retention from removal by the provider."""
    event = _happened_now(world.event("audit_revision"))
    body = json.loads(event["Records"][0]["body"])
    body |= {"type": "bg.readings.removed", "reason": "expired", "count": 12, "correlation_id": ""}
    event["Records"][0]["body"] = json.dumps(body)
    world.invoke("audit", event)

    assert _recorded() == [("retention", "readings expired (12)", "done", "")]


def test_no_entry_is_added_for_changes_before_an_erasure(world: FunctionsWorld) -> None:
    """A message from before the erasure adds no entry; one from after it does."""
    before = _happened_now(world.event("audit_revision"))
    world.invoke("erase", world.event("erase_user"))

    assert world.invoke("audit", before) == {"batchItemFailures": []}
    assert _recorded() == []
    after = _happened_now(world.event("audit_revision"), timedelta(seconds=5))
    world.invoke("audit", after)
    assert len(_recorded()) == 1
