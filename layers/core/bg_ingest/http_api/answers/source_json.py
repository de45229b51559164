"""A user's sources as JSON: each with its provider, its state and its last error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import rfc_3339
from bg_ingest.http_api.description import Instant
from bg_ingest.sync.job import ACCOUNT_CHANGED, INTERNAL, NOT_CONNECTED, REAUTHORIZATION_NEEDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.sync.state import SyncState
    from bg_ingest.sync.user_sources import UserSource


_START_LOGIN = "Start a new login with POST /api/bg/{userId}/connection."
OTHER_ACCOUNT = (
    "The login belongs to another account at the provider than the stored readings, so nothing is fetched"
    " from it. Log in with the account used before, or erase the user's data and connect again."
)
_DETAILS = {
    REAUTHORIZATION_NEEDED: f"The provider no longer accepts this connection. {_START_LOGIN}",
    NOT_CONNECTED: f"The user is not connected. {_START_LOGIN}",
    ACCOUNT_CHANGED: OTHER_ACCOUNT,
    INTERNAL: "A fault on our side ended the sync. It is retried automatically.",
    "RequestRefused": "The provider refused the request. Report it if it lasts longer than a day.",
    "ContractBroken": "The provider's response could not be read. Report it if it lasts longer than a day.",
}
_AT_PROVIDER = "The provider could not be reached, or did not answer. The sync is retried automatically."


class LastErrorJson(TypedDict):
    """Why the last sync failed; null if it succeeded."""

    type: Annotated[str, Field(examples=["Unavailable"])]
    at: Instant | None
    detail: Annotated[str, Field(description="What to do next")]


def last_error_as_json(state: SyncState | None, connection: ConnectionState) -> dict[str, Any] | None:
    """The error that explains why no data arrives; None if data arrives."""
    if state is None:
        return None
    error, at = state.last_error or (None, None)
    # A login with another account explains every state. Otherwise a disconnected user chose to be that, so an
    # earlier failure does not matter.
    if error != ACCOUNT_CHANGED:
        if connection is ConnectionState.DISCONNECTED:
            return None
        if connection is ConnectionState.NEEDS_REAUTH:
            error, at = REAUTHORIZATION_NEEDED, at or state.last_attempt_at
    if error is None:
        return None
    return {"type": error, "at": rfc_3339(at), "detail": _DETAILS.get(error, _AT_PROVIDER)}


def account_changed(state: SyncState | None) -> bool:
    """Return whether the login belongs to another account at the provider than the stored readings."""
    return state is not None and state.last_error is not None and state.last_error[0] == ACCOUNT_CHANGED


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
