"""HTTP: start, show and end a user's connection to their provider account."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.access.caller_limits import WriteLimits
from bg_ingest.connecting import flow
from bg_ingest.connecting.flow import ConnectDeps, LoginResult
from bg_ingest.connecting.new_connection import OwnServerLogin, confirm
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.answers import login_responses
from bg_ingest.http_api.answers.login_responses import (
    ConnectionJson,
    ParkedLoginJson,
    StartedLoginJson,
    connection_as_json,
    login_as_json,
)
from bg_ingest.http_api.answers.source_json import account_changed, last_error_as_json, sources_as_json
from bg_ingest.http_api.description import CONNECTING, RATE_HEADERS, describe, response
from bg_ingest.http_api.pages import page_response
from bg_ingest.http_api.requests import own_server_request, params
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem, invalid_field
from bg_ingest.signing_in.session import Sessions
from bg_ingest.sync.user_sources import main_source, sources_of
from bg_ingest.wiring.access.session_parts import sessions
from bg_ingest.wiring.connect_parts import connect_deps, connect_limits, own_server_login
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


START = describe(
    "startConnection",
    CONNECTING,
    "Start a login: get the address at which the user logs in once; or connect the user's own Nightscout",
    response(
        201,
        "The login has started; or the user is connected to their own server",
        StartedLoginJson,
        ConnectionJson,
        headers=RATE_HEADERS,
    ),
    scope=WRITE_SCOPE,
    problems=[problems.TOO_MANY_REQUESTS, problems.PROVIDER_UNAVAILABLE],
)
SHOW = describe(
    "getConnection",
    CONNECTING,
    "Get the state of a user's connection: of their own provider if it is connected; and all sources",
    response(200, "The connection", ConnectionJson),
    scope=READ_SCOPE,
)
CONFIRM = describe(
    "confirmLogin",
    CONNECTING,
    "Confirm a login with the code that the browser got: the user is connected and the history is queued",
    response(200, "The connection", ConnectionJson, headers=RATE_HEADERS),
    scope=WRITE_SCOPE,
    problems=[problems.CONFIRMATION_INVALID, problems.TOO_MANY_REQUESTS],
)
REMOVE = describe(
    "removeConnection",
    CONNECTING,
    "End all connections, or that to one provider: tokens are deleted, polling stops, the readings stay",
    response(204, "The user is not connected", headers=RATE_HEADERS),
    scope=WRITE_SCOPE,
    problems=[problems.NOT_CONNECTED, problems.TOO_MANY_REQUESTS],
)
CALLBACK = describe(
    "finishLogin",
    CONNECTING,
    "Finish a login: the provider redirects the user here; its one-time state authenticates the request",
    response(
        200,
        "The code that confirms the login, as a page or as JSON; or a page: the user has declined",
        ParkedLoginJson,
        media_types=["text/html"],
    ),
    response(
        302,
        "Redirect to `return_url`; the code is appended as `confirm`, or the reason of a failure as `error`",
        headers=["Location"],
    ),
    response(400, "A page: the login is not valid, or has expired", media_types=["text/html"]),
    response(502, "A page: the provider did not accept the login", media_types=["text/html"]),
    problems=[problems.STATE_INVALID, problems.ACCOUNT_CHANGED],
)


def build(
    deps: ConnectDeps,
    own: OwnServerLogin,
    audit: Audit,
    limits: WriteLimits,
    sessions: Sessions,
    api: ApiSettings,
) -> APIGatewayHttpResolver:
    """Build the routes; `sessions` are those of the page."""
    # Checks access and audits each request before the route runs. A provider may add parameters of its own to
    # the callback, which a client must ignore (RFC 6749, 4.1.2).
    app = serving.routes(api, audit, limits, open_queries=("/oauth/callback",))

    @app.post("/api/bg/<user_id>/connection", **START)
    def start(user_id: params.UserId, body: params.ConnectionBody = None) -> Response[str]:
        asked = body or params.ConnectionRequest()
        if _provider(deps, own, asked.provider) == own.login.endpoint.provider:
            _connect_own_server(app, deps, own, user_id, asked)
            return _connection(deps, user_id, HTTPStatus.CREATED)
        return_url = login_responses.validated_return_url(asked.return_url, api)
        started = login_as_json(*flow.start(deps, user_id, return_url))
        return responding.json_response(started, HTTPStatus.CREATED)

    @app.get("/api/bg/<user_id>/connection", **SHOW)
    def show(user_id: params.UserId) -> Response[str]:
        return _connection(deps, user_id)

    @app.post("/api/bg/<user_id>/connection/confirm", **CONFIRM)
    def confirm_login(user_id: params.UserId, body: params.ConfirmBody) -> Response[str]:
        if not confirm(deps, user_id, body.confirm, telemetry.correlation_id()):
            raise Problem(problems.CONFIRMATION_INVALID)
        telemetry.log("login confirmed")
        return _connection(deps, user_id)

    @app.delete("/api/bg/<user_id>/connection", **REMOVE)
    def remove(user_id: params.UserId, provider: params.OfProvider = None) -> Response[str]:
        _require_connected_to(deps, user_id, _provider(deps, own, provider))
        flow.disconnect(deps, user_id, provider)
        return Response(HTTPStatus.NO_CONTENT, body="", headers=responding.NO_STORE)

    _add_callback(app, deps, sessions)
    return app


def _add_callback(app: APIGatewayHttpResolver, deps: ConnectDeps, sessions: Sessions) -> None:
    # Without a user id in its path there is no access to check: `state` is a secret that works once.
    @app.get("/oauth/callback", **CALLBACK)
    def callback(
        state: params.OAuthText = None, code: params.OAuthText = None, error: params.OAuthText = None
    ) -> Response[str]:
        # A link preview asks with HEAD. It must not use up the login.
        if app.current_event.raw_event["routeKey"].startswith("HEAD "):
            return Response(HTTPStatus.OK, content_type="text/html", body="", headers=responding.NO_STORE)
        result = flow.finish_login(
            deps, state_value=state, code=code, error=error, correlation_id=telemetry.correlation_id()
        )
        telemetry.log("login ended", outcome=result.outcome, error=result.error)
        if _is_confirmed_by_page(app, deps, sessions, result):
            return page_response.redirect("/?notice=connected")
        return login_responses.login_response(result, app.current_event.headers.get("accept"))


def _is_confirmed_by_page(
    app: APIGatewayHttpResolver, deps: ConnectDeps, sessions: Sessions, result: LoginResult
) -> bool:
    """Confirm a login whose user is signed in to the page: that session authenticates the user."""
    if result.code is None or result.user_id is None or result.return_url is not None:
        return False
    session = page_response.session_of(app, sessions)
    if session is None or session.user_id != result.user_id:
        return False
    return confirm(deps, result.user_id, result.code, telemetry.correlation_id())


def _provider(deps: ConnectDeps, own: OwnServerLogin, name: str | None) -> str | None:
    """Return the name; raise 422 if no provider has it."""
    names = [endpoint.provider for endpoint in (deps.provider_login.endpoint, own.login.endpoint)]
    if name is not None and name not in names:
        raise invalid_field("provider", f"must be one of {', '.join(names)}")
    return name


def _require_connected_to(deps: ConnectDeps, user_id: str, provider: str | None) -> None:
    if provider and deps.connections.to(user_id, provider)[1] is None:
        raise Problem(problems.NOT_CONNECTED)


def _connect_own_server(
    app: APIGatewayHttpResolver,
    deps: ConnectDeps,
    own: OwnServerLogin,
    user_id: str,
    body: params.ConnectionRequest,
) -> None:
    own_server_request.connect(
        deps,
        own,
        user_id,
        body,
        time_left_s=lambda: app.lambda_context.get_remaining_time_in_millis() / 1000,
        correlation_id=telemetry.correlation_id(),
    )
    telemetry.log("own server connected")


def _connection(deps: ConnectDeps, user_id: str, status: HTTPStatus = HTTPStatus.OK) -> Response[str]:
    sources = sources_of(deps.connections, deps.states, user_id)
    main, is_pending = main_source(sources), deps.parked.get(user_id) is not None
    shown = connection_as_json(main.connection, deps.provider_login.endpoint, pending=is_pending)
    shown["last_error"] = last_error_as_json(main.sync_state, shown["state"])
    shown |= {"account_changed": account_changed(main.sync_state), "sources": sources_as_json(sources)}
    return responding.json_response(shown, status)


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    logins = own.part(connect_deps), own.part(own_server_login)
    return build(*logins, own.part(audit), own.part(connect_limits), own.part(sessions), api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
