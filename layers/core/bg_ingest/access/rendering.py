"""An audit entry in the form the API shows it."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bg_ingest.access.audit import Entry


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """One entry."""
    return {
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "actor": entry.actor,
        "action": entry.action,
        "outcome": entry.outcome,
        "correlation_id": entry.correlation_id,
    }
