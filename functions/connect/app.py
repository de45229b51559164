"""HTTP: connect a person to their Dexcom account, see how the connection stands, end it."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import telemetry
from bg_ingest.connecting import flow
from bg_ingest.connecting.connection_json import connection_as_json, started_as_json
from bg_ingest.http_api import login_responses, params, rate_headers, serving
from bg_ingest.wiring import connecting, limits, stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.caller_limits import CallerLimit
    from bg_ingest.connecting.flow import ConnectDeps


def build(deps: ConnectDeps, audit: Audit, starts: CallerLimit) -> APIGatewayHttpResolver:
    """The routes, over a desk; `starts` limits how often one caller may start a login."""
    app = serving.routes(audit)

    @app.post("/api/bg/<user_id>/connection")
    def start(user_id: params.UserId, asked: params.ConnectionBody = None) -> Response[str]:
        standing = rate_headers.count_call(starts, serving.caller(app))
        return_url = login_responses.validated_return_url(asked.return_url if asked else None)
        started = started_as_json(*flow.start(deps, user_id, return_url))
        return serving.json_response(started, HTTPStatus.CREATED, standing)

    @app.get("/api/bg/<user_id>/connection")
    def state(user_id: params.UserId) -> Response[str]:
        return serving.json_response(connection_as_json(deps.connections.get(user_id), deps.endpoint))

    @app.delete("/api/bg/<user_id>/connection")
    def remove(user_id: params.UserId) -> Response[str]:
        flow.disconnect(deps, user_id)
        return Response(HTTPStatus.NO_CONTENT, body="", headers=serving.NO_STORE)

    @app.get("/oauth/callback")
    def callback(
        state: params.OAuthText = None, code: params.OAuthText = None, error: params.OAuthText = None
    ) -> Response[str]:
        ended = flow.finish_login(
            deps, state_value=state, code=code, error=error, correlation_id=telemetry.correlation_id()
        )
        telemetry.log("login ended", ending=ended.ending, trouble=ended.trouble)
        return login_responses.login_response(ended, app.current_event.headers.get("accept"))

    return app


@cache
def _app() -> APIGatewayHttpResolver:
    return build(connecting.deps(), stores.audit(), limits.connection())


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return serving.serve(_app(), event, context)
