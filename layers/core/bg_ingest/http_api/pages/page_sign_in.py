"""HTTP side of the sign-in to the page: to the issuer, and back with a session."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from bg_ingest import telemetry
from bg_ingest.facades.page import document
from bg_ingest.http_api.pages.page_response import (
    ATTEMPT_COOKIE,
    SESSION_COOKIE,
    cookie,
    cookie_sent,
    html_response,
    no_cookie,
    redirect,
)
from bg_ingest.http_api.responding import NO_STORE, public_address
from bg_ingest.signing_in.id_token import SignInRefused, user_id_of
from bg_ingest.signing_in.issuer import ATTEMPT_LIFE, IssuerUnavailable
from bg_ingest.signing_in.session import SESSION_LIFE

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from bg_ingest.http_api.serving import ApiSettings
    from bg_ingest.signing_in.issuer import SignIn
    from bg_ingest.signing_in.session import Sessions

CALLBACK = "/signin/callback"
_AGAIN = ("Sign in", "/signin")
_REFUSED = ("You are not signed in", "The sign-in is no longer valid, or was started in another browser.")
_UNAVAILABLE = ("Sign-in is not possible right now", "The sign-in service does not answer. Try again soon.")


def begin(
    app: APIGatewayHttpResolver, api: ApiSettings, sign_in: SignIn, login_hint: str | None
) -> Response[str]:
    """Send the browser to the issuer's sign-in page."""
    try:
        address, attempt = sign_in.begin(public_address(app, api, CALLBACK), login_hint)
    except IssuerUnavailable as failure:
        return _unavailable(failure)
    return redirect(address, cookie(ATTEMPT_COOKIE, attempt, int(ATTEMPT_LIFE.total_seconds())))


def finish(
    app: APIGatewayHttpResolver,
    api: ApiSettings,
    sign_in: SignIn,
    sessions: Sessions,
    answer: tuple[str | None, str | None, str | None],
) -> Response[str]:
    """Begin a session if the issuer's answer (state, code, error) proves the person."""
    # A link preview asks with HEAD. It must not use up the code.
    if app.current_event.raw_event["routeKey"].startswith("HEAD "):
        return Response(HTTPStatus.OK, content_type="text/html", body="", headers=NO_STORE)
    state, code, error = answer
    attempt = cookie_sent(app, ATTEMPT_COOKIE)
    try:
        callback = public_address(app, api, CALLBACK)
        claims = sign_in.finish(callback, attempt, state, None if error else code)
        session = sessions.begin(user_id_of(claims, api.user_id_claim), claims["sub"])
    except SignInRefused as refusal:
        telemetry.log("sign-in refused", level=logging.WARNING, reason=str(refusal))
        page = document.message_page(*_REFUSED, link=_AGAIN)
        return html_response(page, HTTPStatus.BAD_REQUEST, cookies=[no_cookie(ATTEMPT_COOKIE)])
    except IssuerUnavailable as failure:
        return _unavailable(failure)
    telemetry.log("signed in")
    life_s = int(SESSION_LIFE.total_seconds())
    return redirect("/", cookie(SESSION_COOKIE, session, life_s), no_cookie(ATTEMPT_COOKIE))


def _unavailable(failure: IssuerUnavailable) -> Response[str]:
    telemetry.log("sign-in unavailable", level=logging.ERROR, reason=str(failure))
    return html_response(document.message_page(*_UNAVAILABLE, link=_AGAIN), HTTPStatus.BAD_GATEWAY)
