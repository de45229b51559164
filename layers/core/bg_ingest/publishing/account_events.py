"""The events about a person's connection, and about a sync that failed; never about tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.publishing.events import Event, opaque_id

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.dynamo import Item

# What the event says of a connection that is there no more: only an erasure removes one.
ERASED = "erased"
# These are copied into an event by name. Everything else in the item stays here: tokens, also sealed ones,
# the provider account, the refresh lease.
_SHOWN = ("provider", "environment", "connected_at", "data_from")


def connection_events(before: Item | None, after: Item | None, at: datetime) -> list[Event]:
    """One event if the state changed or the person logged in anew; refreshing tokens is neither."""
    item: Item = after or before or {}
    was, now = _state(before), _state(after)
    if now == was and (after or {}).get("connected_at") == (before or {}).get("connected_at"):
        return []
    data: dict[str, Any] = {"user_id": item["pk"], "state": now or ERASED, "previous_state": was}
    # A generation is that of the tokens, and grows for ever: with the state it names one change.
    event_id = opaque_id("bg.connection.changed", item["pk"], item["generation"], data["state"])
    return [
        Event(
            f"{event_id}-1",
            "bg.connection.changed",
            "connection",
            at,
            data | ({name: item[name] for name in _SHOWN} if after else {}),
            # An erasure leaves no trace of who asked for it but its receipt.
            item.get("caused_by") if after else None,
        )
    ]


def job_events(before: Item | None, after: Item | None, at: datetime) -> list[Event]:
    """One event when a job has failed for good."""
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
    event_id = opaque_id("bg.sync.failed", after["pk"], job_id)
    return [Event(f"{event_id}-1", "bg.sync.failed", f"jobs/{job_id}", at, data, after["correlation_id"])]


def _state(item: Item | None) -> str | None:
    return item["connection_state"] if item else None
