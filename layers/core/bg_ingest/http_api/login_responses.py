"""HTTP side of a login: the check of `return_url`, and the redirect or page at its end."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import problems
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.connecting.flow import LoginOutcome, LoginResult
from bg_ingest.connecting.result_page import (
    CONNECTED,
    DENIED,
    EXPIRED,
    FAILED,
    FULL,
    UNAVAILABLE,
    result_page,
)
from bg_ingest.http_api.description import Instant
from bg_ingest.http_api.last_error import LastErrorJson
from bg_ingest.http_api.serving import NO_STORE, PAGE_HEADERS
from bg_ingest.problems import Problem, invalid_field

if TYPE_CHECKING:
    from bg_ingest.http_api.serving import ApiSettings


class ConnectionJson(TypedDict):
    """The state of a user's connection to the provider."""

    state: ConnectionState
    provider: Annotated[str, Field(examples=["dexcom"])]
    environment: Annotated[str, Field(examples=["us"])]
    connected_at: Instant | None
    data_from: Instant | None
    last_error: LastErrorJson | None
    account_changed: Annotated[
        bool, Field(description="The login belongs to another account than the stored readings")
    ]


class StartedLoginJson(TypedDict):
    """The address at which the user logs in, and the time at which it expires."""

    authorize_url: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    expires_at: Instant


_PAGES = {
    LoginOutcome.CONNECTED: (HTTPStatus.OK, CONNECTED),
    LoginOutcome.REPEATED: (HTTPStatus.OK, CONNECTED),
    LoginOutcome.DENIED: (HTTPStatus.OK, DENIED),
    LoginOutcome.STATE_INVALID: (HTTPStatus.BAD_REQUEST, EXPIRED),
    LoginOutcome.REFUSED: (HTTPStatus.BAD_GATEWAY, FAILED),
    LoginOutcome.UNAVAILABLE: (HTTPStatus.BAD_GATEWAY, UNAVAILABLE),
    LoginOutcome.FULL: (HTTPStatus.BAD_GATEWAY, FULL),
}
# The `error` that is appended to `return_url`; the first and the third are OAuth's own codes.
_ERRORS = {
    LoginOutcome.DENIED: "access_denied",
    LoginOutcome.REFUSED: "connection_failed",
    LoginOutcome.UNAVAILABLE: "temporarily_unavailable",
    LoginOutcome.FULL: "application_full",
}
_HEADERS = NO_STORE | PAGE_HEADERS


def validated_return_url(return_url: str | None, api: ApiSettings) -> str | None:
    """Return the URL if it equals one of RETURN_URLS; raise 422 otherwise, so no redirect is open."""
    if return_url is None or return_url in api.return_urls:
        return return_url
    raise invalid_field("return_url", "is not one of the URLs in the setting RETURN_URLS of this service")


def login_response(result: LoginResult, accept: str | None) -> Response[str]:
    """Redirect to `return_url`; without one, return a page, or a problem document to a program."""
    # A reloaded page is for people; to a program, a `state` that was used before is an error.
    repeated_or_invalid = {LoginOutcome.REPEATED, LoginOutcome.STATE_INVALID}
    if result.outcome in repeated_or_invalid and "text/html" not in (accept or ""):
        raise Problem(problems.STATE_INVALID)
    if result.return_url is not None:
        query = {"error": _ERRORS[result.outcome]} if result.outcome in _ERRORS else {}
        separator = "&" if "?" in result.return_url else "?"
        address = result.return_url + (separator + urlencode(query) if query else "")
        return Response(HTTPStatus.FOUND, body="", headers={"Location": address, **NO_STORE})
    status, text = _PAGES[result.outcome]
    return Response(
        status, content_type="text/html; charset=utf-8", body=result_page(*text), headers=_HEADERS
    )
