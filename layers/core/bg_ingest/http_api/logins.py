"""A login's edges as HTTP: where a person may be sent afterwards, and what they are shown."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response

from bg_ingest import problems
from bg_ingest.connecting.flow import Ended, Ending
from bg_ingest.connecting.page import CONNECTED, DENIED, EXPIRED, FAILED, FULL, UNAVAILABLE, page
from bg_ingest.http_api.serving import NOT_KEPT, PAGE_HEADERS
from bg_ingest.problems import Problem
from bg_ingest.settings import settings

_PAGES = {
    Ending.CONNECTED: (HTTPStatus.OK, CONNECTED),
    Ending.DENIED: (HTTPStatus.OK, DENIED),
    Ending.STATE_INVALID: (HTTPStatus.BAD_REQUEST, EXPIRED),
    Ending.REFUSED: (HTTPStatus.BAD_GATEWAY, FAILED),
    Ending.UNAVAILABLE: (HTTPStatus.BAD_GATEWAY, UNAVAILABLE),
    Ending.FULL: (HTTPStatus.BAD_GATEWAY, FULL),
}
# What the page that a person is sent on to learns; the first and the third are OAuth's own words.
_ERRORS = {
    Ending.DENIED: "access_denied",
    Ending.REFUSED: "connection_failed",
    Ending.UNAVAILABLE: "temporarily_unavailable",
    Ending.FULL: "application_full",
}
_HEADERS = NOT_KEPT | PAGE_HEADERS


def allowed(return_url: str | None) -> str | None:
    """An address on our list, letter for letter; we send people nowhere else."""
    if return_url is None or return_url in _allow_list():
        return return_url
    reason = "is not among the addresses this service sends people to"
    raise Problem(problems.INVALID_REQUEST, errors=[{"field": "return_url", "reason": reason}])


def shown(ended: Ended, accept: str | None) -> Response[str]:
    """On to where the person wanted to go, or a page of ours; a program gets a problem document instead."""
    if ended.return_url is not None:
        outcome = {"error": _ERRORS[ended.ending]} if ended.ending in _ERRORS else {}
        separator = "&" if "?" in ended.return_url else "?"
        address = ended.return_url + (separator + urlencode(outcome) if outcome else "")
        return Response(HTTPStatus.FOUND, body="", headers={"Location": address, **NOT_KEPT})
    if ended.ending is Ending.STATE_INVALID and "text/html" not in (accept or ""):
        raise Problem(problems.STATE_INVALID)
    status, text = _PAGES[ended.ending]
    return Response(status, content_type="text/html; charset=utf-8", body=page(*text), headers=_HEADERS)


def _allow_list() -> frozenset[str]:
    return frozenset(url.strip() for url in settings().return_urls.split(",") if url.strip())
