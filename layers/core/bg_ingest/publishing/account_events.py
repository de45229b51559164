"""Events about a user's connection and about failed syncs. They never contain tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import source_of
from bg_ingest.publishing.events import Event, hash_id

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.dynamo import Item
    from bg_ingest.publishing.events import EventType

# The state of a connection that was removed. Only an erasure removes one.
ERASED = "erased"
# The attributes of the item that an event contains. All others stay inside: sealed tokens, and the
# provider account.
_PUBLISHED = ("provider", "environment", "connected_at", "data_from")


def connection_events(before: Item | None, after: Item | None, at: datetime) -> list[Event]:
    """One event if the state changed or the user logged in again. A token refresh has no event."""
    item: Item = after or before or {}
    was, now = _state(before), _state(after)
    if before and after and (was, before["connected_at"]) == (now, after["connected_at"]):
        return []
    data: dict[str, Any] = {"user_id": item["pk"], "state": now or ERASED, "previous_state": was}
    # `generation` increases with each new token set, so together with the state it identifies one change.
    # The first source's item does not name its key, so that its ids stay what they were.
    source = (item["sk"],) if source_of(item) else ()
    identity = item["generation"], data["state"], *source
    if not after:  # No correlation id: an erasure leaves no trace but its receipt.
        return [_event("bg.connection.changed", identity, "connection", at, data)]
    data |= {name: after[name] for name in _PUBLISHED}
    return [_event("bg.connection.changed", identity, "connection", at, data, after.get("caused_by"))]


def job_events(before: Item | None, after: Item | None, at: datetime) -> list[Event]:
    """One event if a job has failed and will not be retried."""
    if after is None or after["job_status"] != "failed" or (before or {}).get("job_status") == "failed":
        return []
    job_id = after["sk"].removeprefix("job#")
    data = {
        "user_id": after["pk"],
        "job_id": job_id,
        "kind": after["kind"],
        "trigger": after["trigger"],
        "started_at": after["started_at"],
        "finished_at": after["finished_at"],
        "error": after["failure"],
    }
    return [_event("bg.sync.failed", (job_id,), f"jobs/{job_id}", at, data, after["correlation_id"])]


def _event(
    event_type: EventType,
    identity: tuple[Any, ...],
    subject: str,
    at: datetime,
    data: dict[str, Any],
    cause: str | None = None,
) -> Event:
    event_id = hash_id(event_type, data["user_id"], *identity)
    return Event(f"{event_id}-1", event_type, subject, at, data, cause)


def _state(item: Item | None) -> str | None:
    return item["connection_state"] if item else None
