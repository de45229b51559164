"""HTTP: start, show and end a user's connection to their Dexcom account."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.access.caller_limits import CallerLimit
from bg_ingest.connecting import flow
from bg_ingest.connecting.connection_json import connection_as_json, login_as_json
from bg_ingest.connecting.flow import ConnectDeps
from bg_ingest.http_api import login_responses, params, serving
from bg_ingest.http_api.description import CONNECTING, RATE_HEADERS, describe, response
from bg_ingest.http_api.last_error import account_changed, last_error_as_json
from bg_ingest.http_api.login_responses import ConnectionJson, StartedLoginJson
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring.connect_parts import connect_deps, connection_limit
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


START = describe(
    "startConnection",
    CONNECTING,
    "Start a login: get the address at which the user logs in once",
    response(201, "The login has started", StartedLoginJson, headers=RATE_HEADERS),
    scope=WRITE_SCOPE,
    problems=[problems.TOO_MANY_REQUESTS],
)
SHOW = describe(
    "getConnection",
    CONNECTING,
    "Get the state of a user's connection",
    response(200, "The connection", ConnectionJson),
    scope=READ_SCOPE,
)
REMOVE = describe(
    "removeConnection",
    CONNECTING,
    "End the connection: its tokens are deleted and polling stops; the readings stay",
    response(204, "The user is not connected"),
    scope=WRITE_SCOPE,
)
CALLBACK = describe(
    "finishLogin",
    CONNECTING,
    "Finish a login: the provider redirects the user here; its one-time state authenticates the request",
    response(200, "A page: the user is connected, or has declined", media_types=["text/html"]),
    response(
        302, "Redirect to `return_url`; if the login fails, `error` is appended to it", headers=["Location"]
    ),
    response(400, "A page: the login is not valid, or has expired", media_types=["text/html"]),
    response(502, "A page: the provider did not accept the login", media_types=["text/html"]),
    problems=[problems.STATE_INVALID],
)


def build(
    deps: ConnectDeps, audit: Audit, login_limit: CallerLimit, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes; `login_limit` limits how often one caller may start a login."""
    # Checks access and audits each request before the route runs. A provider may add parameters of its own to
    # the callback, which a client must ignore (RFC 6749, 4.1.2).
    app = serving.routes(api, audit, open_queries=("/oauth/callback",))

    @app.post("/api/bg/<user_id>/connection", **START)
    def start(user_id: params.UserId, body: params.ConnectionBody = None) -> Response[str]:
        headers = serving.count_call(login_limit, serving.caller(app, api))
        return_url = login_responses.validated_return_url(body.return_url if body else None, api)
        started = login_as_json(*flow.start(deps, user_id, return_url))
        return serving.json_response(started, HTTPStatus.CREATED, headers)

    @app.get("/api/bg/<user_id>/connection", **SHOW)
    def show(user_id: params.UserId) -> Response[str]:
        connection, sync_state = deps.connections.get(user_id), deps.states.get(user_id)
        shown = connection_as_json(connection, deps.provider_login.endpoint)
        shown["last_error"] = last_error_as_json(sync_state, shown["state"])
        return serving.json_response(shown | {"account_changed": account_changed(sync_state)})

    @app.delete("/api/bg/<user_id>/connection", **REMOVE)
    def remove(user_id: params.UserId) -> Response[str]:
        flow.disconnect(deps, user_id)
        return Response(HTTPStatus.NO_CONTENT, body="", headers=serving.NO_STORE)

    # Without a user id in its path there is no access to check: `state` is a secret that works once.
    @app.get("/oauth/callback", **CALLBACK)
    def callback(
        state: params.OAuthText = None, code: params.OAuthText = None, error: params.OAuthText = None
    ) -> Response[str]:
        # A link preview asks with HEAD. It must not use up the login.
        if app.current_event.raw_event["routeKey"].startswith("HEAD "):
            return Response(HTTPStatus.OK, content_type="text/html", body="", headers=serving.NO_STORE)
        result = flow.finish_login(
            deps, state_value=state, code=code, error=error, correlation_id=telemetry.correlation_id()
        )
        telemetry.log("login ended", outcome=result.outcome, error=result.error)
        return login_responses.login_response(result, app.current_event.headers.get("accept"))

    return app


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    return build(own.part(connect_deps), own.part(audit), own.part(connection_limit), api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
