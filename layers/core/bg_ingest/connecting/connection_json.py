"""A connection in the form the API shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import Connection, State

if TYPE_CHECKING:
    from bg_ingest.accounts.connection import Endpoint


def started_as_json(authorize_url: str, expires_at: datetime) -> dict[str, Any]:
    """A login that was started."""
    return {"authorize_url": authorize_url, "expires_at": _text(expires_at)}


def connection_as_json(connection: Connection | None, offered: Endpoint) -> dict[str, Any]:
    """How a connection stands; a user nobody knows looks like one who never connected."""
    endpoint = connection.endpoint if connection else offered
    return {
        "state": connection.state if connection else State.DISCONNECTED,
        "provider": endpoint.provider,
        "environment": endpoint.environment,
        "connected_at": _text(connection.connected_at) if connection else None,
        "data_from": _text(connection.data_from) if connection else None,
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
