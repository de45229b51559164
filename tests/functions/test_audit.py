"""The audit function: it records changes of readings that no request has made."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import SystemClock
from bg_ingest.wiring import store_parts
from tests.functions.conftest import REGION, part
from tests.support.moto_resources import s3_client

if TYPE_CHECKING:
    import pytest

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


def _archived() -> list[list[dict[str, Any]]]:
    s3 = s3_client(REGION)
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="archive").get("Contents", [])]
    texts = [s3.get_object(Bucket="archive", Key=key)["Body"].read().decode() for key in keys]
    return [[json.loads(line) for line in text.splitlines()] for text in texts]


def test_a_batch_of_entries_is_one_object_of_the_archive(world: FunctionsWorld) -> None:
    """A line for each version, in a new object each time."""
    for _ in range(2):
        assert world.invoke("audit", world.event("audit_archive")) == {"batchItemFailures": []}

    assert [[line["outcome"] for line in lines] for lines in _archived()] == [["attempted", "done"]] * 2
    assert _recorded() == []


def test_entries_stay_queued_if_the_archive_is_down(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them are delivered again; a change of readings in the same batch is recorded."""
    world.restarted(monkeypatch, AUDIT_ARCHIVE_BUCKET="no-such-bucket")
    event = world.event("audit_archive")
    ids = [message["messageId"] for message in event["Records"]]
    event["Records"] += _happened_now(world.event("audit_revision"))["Records"]

    answer = world.invoke("audit", event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}
    assert len(_recorded()) == 1
    assert "entries not archived" in capsys.readouterr().out
