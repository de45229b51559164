"""HTTP: whether the service is there and can work, how it is spoken to, and whatever is no route at all."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.http_api import readiness, serving
from bg_ingest.problems import Problem
from bg_ingest.version import VERSION
from bg_ingest.wiring import stores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_lambda_powertools.event_handler.exceptions import NotFoundError
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.dynamo import Table

# It changes with a deployment only. Made by `make interface`.
_FOR_EVERYBODY = {"Cache-Control": "public, max-age=300"}


def build(tables: Iterable[tuple[str, Table]]) -> APIGatewayHttpResolver:
    """The routes, over the parts that have to work."""
    app = serving.routes()

    @app.get("/health")
    def health() -> Response[str]:
        return serving.json_response({"status": "ok", "version": VERSION})

    @app.get("/ready")
    def ready() -> Response[str]:
        failing = readiness.failing(tables)
        if failing:
            body = {"status": "unavailable", "failing": failing}
            return serving.json_response(body, HTTPStatus.SERVICE_UNAVAILABLE)
        return serving.json_response({"status": "ok"})

    @app.not_found
    def anything_else(_: NotFoundError) -> Response[str]:
        return _no_route(app.current_event.http_method)

    @app.get("/openapi.json")
    def description() -> Response[str]:
        return serving.cacheable_response(app, _file("openapi.json"), headers=_FOR_EVERYBODY)

    @app.get("/docs")
    def page() -> Response[str]:
        headers = _FOR_EVERYBODY | serving.PAGE_HEADERS
        return serving.cacheable_response(
            app, _file("docs.html"), "text/html; charset=utf-8", headers=headers
        )

    return app


def _no_route(method: str) -> Response[str]:
    # What a browser asks before it calls from another origin; the gateway adds what it allows.
    if method == "OPTIONS":
        return Response(HTTPStatus.NO_CONTENT, body="", headers=serving.NO_STORE)
    return serving.problem_response(Problem(problems.NOT_FOUND))


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _app() -> APIGatewayHttpResolver:
    return build([("readings table", stores.readings_table()), ("users table", stores.users_table())])


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return serving.serve(_app(), event, context)
