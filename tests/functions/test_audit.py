"""Changes of readings on record, as Lambda calls their recorder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import SystemClock
from bg_ingest.wiring import stores

if TYPE_CHECKING:
    from tests.functions.conftest import World


def _recorded(user_id: str = "demo") -> list[tuple[str, str, str, str]]:
    return [
        (entry.actor, entry.action, entry.outcome, entry.correlation_id)
        for entry in stores.audit().newest_first(user_id)
    ]


def _happened_now(event: dict[str, Any], later: timedelta = timedelta(0)) -> dict[str, Any]:
    message = event["Records"][0]
    body = json.loads(message["body"]) | {"time": f"{SystemClock().now() + later:%Y-%m-%dT%H:%M:%SZ}"}
    message["body"] = json.dumps(body)
    return event


def test_a_revision_is_on_record_once(world: World) -> None:
    """Who, what, how many and why, at the time of the change; however often it is told."""
    event = _happened_now(world.event("audit_revision"))
    for _ in range(3):
        assert world.invoke("audit", event) == {"batchItemFailures": []}

    assert _recorded() == [
        ("ingestion", "readings revised (1)", "done", "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b")
    ]
    (entry,) = stores.audit().newest_first("demo")
    at = datetime.fromisoformat(json.loads(event["Records"][0]["body"])["time"])
    assert entry.at.astimezone(UTC) == at


def test_a_message_that_is_no_change_of_ours_stays_and_holds_up_nothing(world: World) -> None:
    """The one after it is recorded."""
    event = world.event("audit_poison")
    event["Records"][1]["body"] = _happened_now(world.event("audit_revision"))["Records"][0]["body"]

    answer = world.invoke("audit", event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert len(_recorded()) == 1


def test_what_expired_was_retentions_doing(world: World) -> None:
    """Told apart from what came from the provider."""
    event = _happened_now(world.event("audit_revision"))
    body = json.loads(event["Records"][0]["body"])
    body |= {"type": "bg.readings.removed", "reason": "expired", "count": 12, "correlation_id": ""}
    event["Records"][0]["body"] = json.dumps(body)
    world.invoke("audit", event)

    assert _recorded() == [("retention", "readings expired (12)", "done", "")]


def test_nothing_about_a_person_is_recorded_after_they_were_erased(world: World) -> None:
    """A message that waited must not outlive them; one about their next life must."""
    before = _happened_now(world.event("audit_revision"))
    world.invoke("erase", world.event("erase_user"))

    assert world.invoke("audit", before) == {"batchItemFailures": []}
    assert _recorded() == []
    after = _happened_now(world.event("audit_revision"), timedelta(seconds=5))
    world.invoke("audit", after)
    assert len(_recorded()) == 1
