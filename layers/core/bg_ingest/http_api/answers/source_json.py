"""A user's sources as JSON: each with its provider, its state and its last error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest.accounts.connection import ConnectionState  # noqa: TC001 - the OpenAPI document resolves it.
from bg_ingest.http_api.answers.last_error import LastErrorJson, account_changed, last_error_as_json
from bg_ingest.http_api.description import Instant  # noqa: TC001 - as above.
from bg_ingest.utc import rfc_3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.sync.user_sources import UserSource


class SourceJson(TypedDict):
    """One source of a user's readings."""

    provider: Annotated[str, Field(examples=["nightscout"])]
    environment: Annotated[str, Field(examples=["own-site"])]
    state: ConnectionState
    connected_at: Instant | None
    data_from: Instant | None
    interval_seconds: Annotated[int | None, Field(description="How often it is polled", examples=[300])]
    data_until: Instant | None
    last_success_at: Instant | None
    last_error: LastErrorJson | None
    account_changed: Annotated[
        bool, Field(description="The login belongs to another account than the stored readings")
    ]


def sources_as_json(sources: Iterable[UserSource]) -> list[dict[str, Any]]:
    """The sources that the user has or had; one without a connection is being erased."""
    return [_source(each) for each in sources if each.connection]


def _source(source: UserSource) -> dict[str, Any]:
    connection, state = source.connection, source.sync_state
    assert connection is not None  # noqa: S101 - the caller has checked it.
    return {
        "provider": connection.endpoint.provider,
        "environment": connection.endpoint.environment,
        "state": connection.state,
        "connected_at": rfc_3339(connection.connected_at),
        "data_from": rfc_3339(connection.data_from),
        "interval_seconds": state.poll_interval_s if state else None,
        "data_until": rfc_3339(state.data_until) if state else None,
        "last_success_at": rfc_3339(state.last_success_at) if state else None,
        "last_error": last_error_as_json(state, connection.state),
        "account_changed": account_changed(state),
    }
