"""HTTP side of a login at a server of the user's own: its fields, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.connecting.new_connection import ConnectionContended, connect_own_server
from bg_ingest.problems import Problem, invalid_field
from bg_ingest.providers.errors import CredentialsRefused, ProviderError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.connecting.flow import ConnectDeps
    from bg_ingest.connecting.new_connection import OwnServerLogin
    from bg_ingest.http_api.requests.params import ConnectionRequest

# Of the caller's time, for the writes after the server has answered.
_WRITES_S = 5.0
_RETRY_AFTER_S = 60
# The reasons of CredentialsRefused: the field that has to change, and how.
_FAULTS = {
    "address-invalid": ("url", "must be https:// and a host, without user name, query and fragment"),
    "address-not-public": ("url", "leads to an address that is not public"),
    "not-a-nightscout": ("url", "does not answer like a Nightscout"),
    "token-invalid": ("token", "must be one line of at most 200 printable characters"),
    "token-unknown": ("token", "is not known to this server; the API secret is not a token"),
    "token-cannot-read": ("token", "does not open the entries; it needs the role `readable`"),
    "token-can-write": ("token", "may change data; make one that has only the role `readable`"),
}


def connect(
    deps: ConnectDeps,
    own: OwnServerLogin,
    user_id: str,
    body: ConnectionRequest,
    *,
    time_left_s: Callable[[], float],
    correlation_id: str,
) -> None:
    """Connect the user; raise the problem if that is not possible."""
    for field in ("url", "token"):
        if not getattr(body, field):
            raise invalid_field(field, "is required for this provider")
    if body.return_url is not None:
        raise invalid_field("return_url", "is not used: this provider has no login page")
    try:
        connect_own_server(
            deps,
            own,
            user_id,
            address=body.url or "",
            token=body.token or "",
            time_left_s=lambda: time_left_s() - _WRITES_S,
            correlation_id=correlation_id,
        )
    except ProviderError as error:
        problem = _problem(error)
    except ConnectionContended:
        problem = Problem(problems.TEMPORARILY_UNAVAILABLE, headers={"Retry-After": "1"})
    else:
        return
    # Raised here, so that it is not chained to an error with a host in its text.
    raise problem


def _problem(error: ProviderError) -> Problem:
    if isinstance(error, CredentialsRefused) and str(error) in _FAULTS:
        return invalid_field(*_FAULTS[str(error)])
    if isinstance(error, TryLater):
        detail = "The server at this address cannot be reached, or does not answer. Check it and retry."
        headers = {"Retry-After": str(_RETRY_AFTER_S)}
        return Problem(problems.PROVIDER_UNAVAILABLE, detail, headers=headers)
    return invalid_field("url", "does not answer like a Nightscout")
