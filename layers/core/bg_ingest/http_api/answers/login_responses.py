"""HTTP side of a login: its `return_url`, the connection as JSON, and the redirect or page at its end."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import problems
from bg_ingest.accounts.connection import Connection, ConnectionState
from bg_ingest.clock import rfc_3339
from bg_ingest.connecting.flow import LoginOutcome, LoginResult
from bg_ingest.connecting.result_page import (
    CONNECTED,
    DENIED,
    EXPIRED,
    FAILED,
    FULL,
    OTHER_ACCOUNT,
    UNAVAILABLE,
    WAITING,
    confirm_page,
    result_page,
)
from bg_ingest.http_api.answers.source_json import LastErrorJson, SourceJson
from bg_ingest.http_api.description import Instant
from bg_ingest.http_api.responding import NO_STORE, PAGE_HEADERS, json_response
from bg_ingest.problems import Problem, invalid_field

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.http_api.serving import ApiSettings
    from bg_ingest.providers.seam import Endpoint


class ConnectionJson(TypedDict):
    """The state of a user's connection to the provider."""

    state: ConnectionState
    provider: Annotated[str, Field(examples=["dexcom"])]
    environment: Annotated[str, Field(examples=["us"])]
    connected_at: Instant | None
    data_from: Instant | None
    pending: Annotated[bool, Field(description="A login waits for its confirmation")]
    last_error: LastErrorJson | None
    account_changed: Annotated[
        bool, Field(description="The login belongs to another account than the stored readings")
    ]
    sources: list[SourceJson]


class StartedLoginJson(TypedDict):
    """The address at which the user logs in, and the time at which it expires."""

    authorize_url: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    expires_at: Instant


class ParkedLoginJson(TypedDict):
    """The code that connects the user that the login was started for."""

    confirm: Annotated[str, Field(examples=["pFWUsRMeHf6Hi4bnRGo5Ng"])]
    user_id: Annotated[str, Field(examples=["demo"])]


_PAGES = {
    LoginOutcome.WAITING: (HTTPStatus.OK, WAITING),
    LoginOutcome.CONFIRMED: (HTTPStatus.OK, CONNECTED),
    LoginOutcome.DENIED: (HTTPStatus.OK, DENIED),
    LoginOutcome.STATE_INVALID: (HTTPStatus.BAD_REQUEST, EXPIRED),
    LoginOutcome.ACCOUNT_CHANGED: (HTTPStatus.CONFLICT, OTHER_ACCOUNT),
    LoginOutcome.REFUSED: (HTTPStatus.BAD_GATEWAY, FAILED),
    LoginOutcome.UNAVAILABLE: (HTTPStatus.BAD_GATEWAY, UNAVAILABLE),
    LoginOutcome.FULL: (HTTPStatus.BAD_GATEWAY, FULL),
}
# The `error` that is appended to `return_url`; `access_denied` and the third are OAuth's own codes.
_ERRORS = {
    LoginOutcome.DENIED: "access_denied",
    LoginOutcome.REFUSED: "connection_failed",
    LoginOutcome.UNAVAILABLE: "temporarily_unavailable",
    LoginOutcome.FULL: "application_full",
    LoginOutcome.ACCOUNT_CHANGED: "account_changed",
}
_USED = {LoginOutcome.WAITING, LoginOutcome.CONFIRMED, LoginOutcome.STATE_INVALID}
_HEADERS = NO_STORE | PAGE_HEADERS


def validated_return_url(return_url: str | None, api: ApiSettings) -> str | None:
    """Return the URL if it equals one of RETURN_URLS; raise 422 otherwise, so no redirect is open."""
    if return_url is None or return_url in api.return_urls:
        return return_url
    raise invalid_field("return_url", "is not one of the URLs in the setting RETURN_URLS of this service")


def login_response(result: LoginResult, accept: str | None) -> Response[str]:
    """Redirect to `return_url`; without one, return a page, or JSON to a program that accepts it."""
    is_browser = "text/html" in (accept or "")
    # A reloaded page is for people; to a program, a `state` that was used before is an error.
    if result.outcome in _USED and not is_browser:
        raise Problem(problems.STATE_INVALID)
    if result.return_url is not None:
        address = _with_query(result.return_url, _answer(result))
        return Response(HTTPStatus.FOUND, body="", headers={"Location": address, **NO_STORE})
    takes_json = not is_browser and "application/json" in (accept or "")
    if result.outcome is LoginOutcome.ACCOUNT_CHANGED and takes_json:
        raise Problem(problems.ACCOUNT_CHANGED)
    if result.code is None or result.user_id is None:
        status, text = _PAGES[result.outcome]
        return _page(status, result_page(*text))
    if takes_json:
        return json_response({"confirm": result.code, "user_id": result.user_id})
    return _page(HTTPStatus.OK, confirm_page(result.user_id, result.code))


def _answer(result: LoginResult) -> dict[str, str]:
    if result.code is not None:
        return {"confirm": result.code}
    return {"error": _ERRORS[result.outcome]} if result.outcome in _ERRORS else {}


def _with_query(address: str, query: dict[str, str]) -> str:
    if not query:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _page(status: HTTPStatus, body: str) -> Response[str]:
    return Response(status, content_type="text/html; charset=utf-8", body=body, headers=_HEADERS)


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
