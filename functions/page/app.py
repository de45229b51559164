"""HTTP: the page of a person in a browser: sign-in, the page, its forms, and the link of a grant."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import telemetry
from bg_ingest.facades.page import document
from bg_ingest.facades.page.forms import Forms
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.pages import page_sign_in
from bg_ingest.http_api.pages.page_acts import NOTICES, PageActs, act_on, signed_out
from bg_ingest.http_api.pages.page_response import (
    FormRefused,
    came_from_elsewhere,
    for_people,
    html_response,
    sent_form,
    session_of,
)
from bg_ingest.http_api.pages.page_shared import shared_page
from bg_ingest.http_api.pages.page_values import own_view
from bg_ingest.http_api.requests import params
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring.page_parts import page_acts, provider_origin, sign_in
from bg_ingest.wiring.process import Process, process

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.signing_in.issuer import SignIn

PATHS = ("/", "/signin", page_sign_in.CALLBACK, "/signout", "/see/<token>")
_NOT_SENT_HERE = (
    "This form is no longer valid",
    "It was not sent from your own page, or you have signed out since. Nothing was changed.",
)


def build(
    acts: PageActs, sign_in: Callable[[], SignIn], provider_origin: str, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes; `provider_origin` is where the login of the provider is."""
    # The gateway cannot check cookies, so the routes check the session themselves. Unknown parameters are
    # ignored: an issuer may add its own (RFC 6749, 4.1.2), and so does a mail program to a link.
    app = serving.routes(api, authenticates_itself=True, open_queries=PATHS)
    acts = replace(
        acts,
        public_address=partial(responding.public_address, app, api),
        time_left_s=lambda: app.lambda_context.get_remaining_time_in_millis() / 1000,
    )

    @app.get("/", include_in_schema=False)
    def page(notice: params.NoticeName = None) -> Response[str]:
        session = session_of(app, acts.sessions)
        if session is None:
            return html_response(document.welcome_page(acts.sources.names))
        session.caller.must_read(session.user_id)
        view = own_view(acts.sources, session.user_id, session.subject, NOTICES.get(notice or ""))
        forms = Forms(session.form_token)
        return html_response(document.person_page(view, forms), form_target=provider_origin)

    @app.post("/", include_in_schema=False)
    def act() -> Response[str]:
        try:
            return act_on(acts, *sent_form(app, api, session_of(app, acts.sessions)))
        except FormRefused:
            telemetry.log("form refused")
            return html_response(document.message_page(*_NOT_SENT_HERE), HTTPStatus.FORBIDDEN)

    @app.get("/signout", include_in_schema=False)
    def sign_out() -> Response[str]:
        session = session_of(app, acts.sessions)
        if session and came_from_elsewhere(app):
            return html_response(document.sign_out_page(Forms(session.form_token)))
        return signed_out(acts.sessions, session)

    @app.get("/see/<token>", include_in_schema=False)
    def see(token: params.GrantToken) -> Response[str]:
        return shared_page(app, acts.sources, token)

    _add_sign_in(app, acts, sign_in, api)
    return app


def _add_sign_in(
    app: APIGatewayHttpResolver, acts: PageActs, sign_in: Callable[[], SignIn], api: ApiSettings
) -> None:
    @app.get("/signin", include_in_schema=False)
    def begin(login_hint: params.OAuthText = None) -> Response[str]:
        return page_sign_in.begin(app, api, sign_in(), login_hint)

    @app.get(page_sign_in.CALLBACK, include_in_schema=False)
    def finish(
        state: params.OAuthText = None, code: params.OAuthText = None, error: params.OAuthText = None
    ) -> Response[str]:
        return page_sign_in.finish(app, api, sign_in(), acts.sessions, (state, code, error))


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    return build(own.part(page_acts), lambda: own.part(sign_in), provider_origin(own), api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    answer = serving.serve(process().part(_app), event, context, process().clock, raw_body=True)
    return for_people(answer)
