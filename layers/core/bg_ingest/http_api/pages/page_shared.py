"""HTTP side of a grant's link: the page, read-only, with what the grant opens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.facades.page import document
from bg_ingest.http_api.pages.page_response import html_response
from bg_ingest.http_api.pages.page_values import readers_view
from bg_ingest.http_api.shared import reader_of
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

    from bg_ingest.http_api.pages.page_values import PageSources

_INVALID = ("This link does not work", "It has ended, was revoked, or is incomplete. Ask for a new one.")
_TOO_OFTEN = ("Too often", "This link was opened too often. Try again in a minute.")


def shared_page(app: APIGatewayHttpResolver, sources: PageSources, token: str) -> Response[str]:
    """The page of a grant's link; one answer for unknown, expired and revoked grants."""
    try:
        reader = reader_of(sources.grants, app.current_event.raw_event, token)
    except Problem as problem:
        if problem.kind is problems.TOO_MANY_REQUESTS:
            return _message(*_TOO_OFTEN, HTTPStatus.TOO_MANY_REQUESTS)
        return _message(*_INVALID, HTTPStatus.NOT_FOUND)
    # The address holds the token, so no link may send it on.
    return html_response(document.person_page(readers_view(sources, reader), None), referrer="no-referrer")


def _message(title: str, text: str, status: HTTPStatus) -> Response[str]:
    return html_response(document.message_page(title, text, link=None), status, referrer="no-referrer")
