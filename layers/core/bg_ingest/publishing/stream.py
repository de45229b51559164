"""Records of DynamoDB's streams, as Lambda hands them over, and the events each of them makes."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import SK as CONNECTION
from bg_ingest.dynamo import from_attributes
from bg_ingest.publishing.account_events import connection_events, job_events
from bg_ingest.publishing.changes import hour_change
from bg_ingest.publishing.events import reading_events, removal_events
from bg_ingest.readings.merging.hour import Hour
from bg_ingest.readings.stored.formats import HourUnreadable
from bg_ingest.readings.stored.hour_items import cause_of, hour_from_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.dynamo import Item
    from bg_ingest.publishing.events import Event

_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d")
# How DynamoDB signs what it removed itself, because its time was over.
_TTL = ("Service", "dynamodb.amazonaws.com")


class RecordUnreadable(Exception):
    """Trying again cannot help with this record: a person must look. Carries the kind of error, no text."""


def sequence_number(record: Mapping[str, Any]) -> str:
    """Where in its shard a record stands: by this Lambda is told where to go on."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def events_of(record: Mapping[str, Any]) -> list[Event]:
    """The events one change of one item makes, in a fixed order; many changes make none."""
    try:
        return _events_of(record)
    except (HourUnreadable, LookupError, ValueError, TypeError, AttributeError) as error:
        # Not "from error": its text may hold a value.
        raise RecordUnreadable(type(error).__name__) from None


def _events_of(record: Mapping[str, Any]) -> list[Event]:
    change = record["dynamodb"]
    sk: str = change["Keys"]["sk"]["S"]
    before, after = _image(change.get("OldImage")), _image(change.get("NewImage"))
    at = datetime.fromtimestamp(int(change["ApproximateCreationDateTime"]), UTC)
    if sk == CONNECTION:
        return connection_events(before, after, at)
    if sk.startswith("job#"):
        return job_events(before, after, at)
    if _HOUR.fullmatch(sk) and after:
        return _changed_hour(before, after, at)
    if _HOUR.fullmatch(sk) and before and _is_expired(record):
        hour = hour_from_item(before)
        return removal_events(before["pk"], hour.start, hour.readings, "expired", at)
    # Hours that an erasure removed are told by the end of the connection, not one by one.
    return []


def _changed_hour(before: Item | None, after: Item, at: datetime) -> list[Event]:
    now = hour_from_item(after)
    was = hour_from_item(before) if before else Hour(now.start)
    return reading_events(after["pk"], hour_change(was, now), cause=cause_of(after), removed_at=at)


def _is_expired(record: Mapping[str, Any]) -> bool:
    identity = record.get("userIdentity") or {}
    return (identity.get("type"), identity.get("principalId")) == _TTL


def _image(attributes: Mapping[str, Any] | None) -> Item | None:
    if not attributes:
        return None
    # In an event for Lambda bytes are base64; the SDK would have decoded them.
    decoded = {
        name: {"B": b64decode(value["B"])} if "B" in value else value for name, value in attributes.items()
    }
    return from_attributes(decoded)
