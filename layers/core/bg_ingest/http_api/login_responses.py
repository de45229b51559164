"""A login's edges as HTTP: where a person may be sent afterwards, and what they are shown."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response

from bg_ingest import problems
from bg_ingest.connecting.flow import LoginOutcome, LoginResult
from bg_ingest.connecting.result_page import CONNECTED, DENIED, EXPIRED, FAILED, FULL, UNAVAILABLE, page
from bg_ingest.http_api.serving import NO_STORE, PAGE_HEADERS
from bg_ingest.problems import Problem
from bg_ingest.settings import settings

_PAGES = {
    LoginOutcome.CONNECTED: (HTTPStatus.OK, CONNECTED),
    LoginOutcome.DENIED: (HTTPStatus.OK, DENIED),
    LoginOutcome.STATE_INVALID: (HTTPStatus.BAD_REQUEST, EXPIRED),
    LoginOutcome.REFUSED: (HTTPStatus.BAD_GATEWAY, FAILED),
    LoginOutcome.UNAVAILABLE: (HTTPStatus.BAD_GATEWAY, UNAVAILABLE),
    LoginOutcome.FULL: (HTTPStatus.BAD_GATEWAY, FULL),
}
# What the page that a person is sent on to learns; the first and the third are OAuth's own words.
_ERRORS = {
    LoginOutcome.DENIED: "access_denied",
    LoginOutcome.REFUSED: "connection_failed",
    LoginOutcome.UNAVAILABLE: "temporarily_unavailable",
    LoginOutcome.FULL: "application_full",
}
_HEADERS = NO_STORE | PAGE_HEADERS


def validated_return_url(return_url: str | None) -> str | None:
    """An address on our list, letter for letter; we send people nowhere else."""
    if return_url is None or return_url in _allow_list():
        return return_url
    reason = "is not among the addresses this service sends people to"
    raise Problem(problems.INVALID_REQUEST, errors=[{"field": "return_url", "reason": reason}])


def login_response(ended: LoginResult, accept: str | None) -> Response[str]:
    """On to where the person wanted to go, or a page of ours; a program gets a problem document instead."""
    if ended.return_url is not None:
        outcome = {"error": _ERRORS[ended.ending]} if ended.ending in _ERRORS else {}
        separator = "&" if "?" in ended.return_url else "?"
        address = ended.return_url + (separator + urlencode(outcome) if outcome else "")
        return Response(HTTPStatus.FOUND, body="", headers={"Location": address, **NO_STORE})
    if ended.ending is LoginOutcome.STATE_INVALID and "text/html" not in (accept or ""):
        raise Problem(problems.STATE_INVALID)
    status, text = _PAGES[ended.ending]
    return Response(status, content_type="text/html; charset=utf-8", body=page(*text), headers=_HEADERS)


def _allow_list() -> frozenset[str]:
    return frozenset(url.strip() for url in settings().return_urls.split(",") if url.strip())
