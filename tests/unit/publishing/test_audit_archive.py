"""The archive of audit entries: every version, under pseudonyms."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.audit import Audit, AuditOutcome
from bg_ingest.dynamo import Table, to_attributes
from bg_ingest.publishing.audit_archive import archive_line, audit_events
from bg_ingest.publishing.events import KeyedSink, audit_pseudonym
from bg_ingest.publishing.publish import SinkResult, events_of
from tests.support.documents import DOCS
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.dynamo import Item
    from bg_ingest.publishing.events import Event

KEY = b"secret of the deployment"


class ListSink:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Keep the events."""
        self.events += events
        return SinkResult(len(events))


def _versions() -> list[Item]:
    """The items that a write of a service stores, in their order."""
    table = Table(MemoryDynamo(), "users")  # type: ignore[arg-type]  # A stand-in.
    audit = Audit(table, FakeClock(), 365)
    entry = audit.new_entry("user-ada", actor="service-7", action="POST /x", correlation_id="c-1")
    audit.save(entry)
    attempted = table.get("audit#user-ada", entry.entry_id)
    audit.complete(entry, AuditOutcome.DONE)
    done = table.get("audit#user-ada", entry.entry_id)
    assert attempted
    assert done
    return [attempted, done]


def _published(items: list[Item]) -> list[Event]:
    sink = ListSink()
    KeyedSink(sink, lambda: KEY).publish([event for item in items for event in audit_events(item, NOON)])
    return sink.events


def test_every_version_of_an_entry_is_an_event() -> None:
    """An overwritten entry shows as one more version, which has an id of its own."""
    items = _versions()
    forged = items[-1] | {"actor": "nobody-else"}
    events = _published([*items, forged])

    assert [event.data["outcome"] for event in events] == ["attempted", "done", "done"]
    assert len({event.event_id for event in events}) == 3
    assert _published([forged])[0].event_id == events[-1].event_id


def test_the_archive_names_persons_by_pseudonyms_only() -> None:
    """The same person has the same one, and only the deployment's secret gives it."""
    (first, *_) = _published(_versions())
    text = first.as_text("https://bg-ingest.dev/test")

    assert "user-ada" not in text
    assert "service-7" not in text
    assert first.data["person"] == audit_pseudonym(KEY, "user-ada") != audit_pseudonym(b"other", "user-ada")
    assert first.data["actor"] == audit_pseudonym(KEY, "service-7")


def test_the_documented_command_gives_the_pseudonym() -> None:
    """An operator with the secret finds a person's lines."""
    (command,) = re.findall(r"```sh\n(printf 'audit .*)\n", (DOCS / "security.md").read_text())
    environ = {"NAME": "user-ada", "KEY": KEY.decode(), "PATH": os.defpath}
    done = subprocess.run(["/bin/sh", "-c", command], env=environ, capture_output=True, text=True, check=True)  # noqa: S603 - the page's own.

    assert done.stdout.strip() == audit_pseudonym(KEY, "user-ada")


def test_a_removed_entry_has_no_event() -> None:
    """What an erasure or the retention removes stays in the archive for its time."""
    (item, *_) = _versions()
    keys = {"pk": {"S": "audit#user-ada"}, "sk": {"S": "0" * 28}}
    record = {
        "eventName": "REMOVE",
        "dynamodb": {
            "Keys": keys,
            "OldImage": to_attributes(item),
            "ApproximateCreationDateTime": NOON.timestamp(),
        },
    }

    assert events_of(record) == []


def test_a_line_is_made_of_audit_events_only() -> None:
    """Other messages of the function are changes of readings."""
    event = replace(_published(_versions())[0], time=NOON + timedelta(seconds=1))
    message = {"detail-type": event.event_type, "detail": event.envelope("here")}
    line = archive_line(json.dumps(message))

    assert line
    assert json.loads(line) == {"event_id": event.event_id, "correlation_id": "c-1", **event.data}
    assert archive_line('{"type": "bg.readings.revised"}') is None
    assert archive_line("[]") is None


@pytest.mark.parametrize(
    "body",
    ["", "{", '{"detail-type": "bg.audit.recorded"}', '{"detail-type": "bg.audit.recorded", "detail": {}}'],
)
def test_an_invalid_message_is_a_value_error(body: str) -> None:
    """It stays in the queue and ends in the dead letters."""
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the documented class.
        archive_line(body)
