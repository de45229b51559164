"""A connection as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import Connection, ConnectionState
from bg_ingest.utc import rfc_3339

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.providers.seam import Endpoint


def login_as_json(authorize_url: str, expires_at: datetime) -> dict[str, Any]:
    """A login that was started."""
    return {"authorize_url": authorize_url, "expires_at": rfc_3339(expires_at)}


def connection_as_json(
    connection: Connection | None, offered: Endpoint, *, pending: bool = False
) -> dict[str, Any]:
    """A connection; an unknown user looks like one who never connected."""
    endpoint = connection.endpoint if connection else offered
    return {
        "state": connection.state if connection else ConnectionState.DISCONNECTED,
        "provider": endpoint.provider,
        "environment": endpoint.environment,
        "connected_at": rfc_3339(connection.connected_at) if connection else None,
        "data_from": rfc_3339(connection.data_from) if connection else None,
        "pending": pending,
    }
