"""
The archive of audit entries, in a bucket whose objects cannot be changed or removed.

    entry stored or completed ──► stream ──► bus ──► queue ──► one object per batch, a line per version

The table's entries can be overwritten by a function that was taken over, and an erasure removes them. The
archive keeps every version for its announced time. It names persons and actors by pseudonyms only, which are
keyed (`audit_pseudonym`), so it needs no erasure: without the deployment's secret no line shows its user.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bg_ingest.access.audit import PARTITION_PREFIX
from bg_ingest.clock import new_id
from bg_ingest.publishing.events import Event, hash_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item
    from bg_ingest.publishing.events import EventType

AUDIT_RECORDED: EventType = "bg.audit.recorded"


def audit_events(after: Item | None, at: datetime) -> list[Event]:
    """One event for each stored version of an audit entry; a removal has none."""
    if after is None:
        return []
    content = {
        "entry_id": after["sk"],
        "recorded_at": after["recorded_at"],
        "person": after["pk"].removeprefix(PARTITION_PREFIX),
        "actor": after["actor"],
        "action": after["deed"],
        "outcome": after["outcome"],
    }
    event_id = hash_id(AUDIT_RECORDED, *content.values())
    keyed = ("person", "actor")
    return [Event(f"{event_id}-1", AUDIT_RECORDED, "audit", at, content, after["correlation_id"], keyed)]


def archive_line(body: str) -> str | None:
    """The line for a queue message with such an event; None for another message. ValueError if invalid."""
    message = json.loads(body)
    if not isinstance(message, dict) or message.get("detail-type") != AUDIT_RECORDED:
        return None
    event = message.get("detail")
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        raise ValueError("not an event")  # noqa: TRY004 - the caller handles one class.
    named = {"event_id": event.get("id"), "correlation_id": event.get("correlationid")}
    return json.dumps(named | event["data"], separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class AuditArchive:
    """The bucket of archived audit entries."""

    client: Any  # aws.s3_client.S3Client, or boto3's.
    bucket: str
    clock: Clock

    def add(self, lines: Sequence[str]) -> None:
        """Store the lines as a new object."""
        now = self.clock.now()
        self.client.put_object(
            Bucket=self.bucket,
            Key=f"{now:%Y/%m/%d}/{new_id(now)}.ndjson",
            Body="".join(f"{line}\n" for line in lines).encode(),
            ContentType="application/x-ndjson",
            ChecksumAlgorithm="SHA256",  # A bucket with object lock requires a checksum.
        )
