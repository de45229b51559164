"""HTTP: health, readiness, the OpenAPI document with its viewer, and 404 for every unknown path."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import base64
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import aws_lambda_powertools
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from typing_extensions import TypedDict

from bg_ingest import problems, telemetry
from bg_ingest.dynamo import Table
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.description import SERVICE, describe, not_modified, response
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem
from bg_ingest.version import VERSION
from bg_ingest.wiring.circuit_parts import provider_is_down
from bg_ingest.wiring.process import Process, intake_table, process, readings_table, users_table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class HealthJson(TypedDict):
    """The service responds."""

    status: Literal["ok"]
    version: str


class ReadyJson(TypedDict):
    """The service can handle requests; `provider` says whether the provider answers its calls."""

    status: Literal["ok"]
    provider: Literal["ok", "unavailable", "unknown"]


class NotReadyJson(TypedDict):
    """The service cannot handle requests, because a part of it fails."""

    status: Literal["unavailable"]
    failing: str


HEALTH = describe(
    "getHealth", SERVICE, "Check that the service responds", response(200, "It does", HealthJson)
)
READY = describe(
    "getReadiness",
    SERVICE,
    "Check that the service can handle requests",
    response(200, "It can", ReadyJson),
    response(503, "It cannot", NotReadyJson),
)
DOCUMENT = describe(
    "getDescription",
    SERVICE,
    "Get this interface as an OpenAPI 3.1 document",
    response(200, "The document", media_types=["application/json"], headers=["ETag"]),
    not_modified(),
    request_headers=["If-None-Match"],
)
VIEWER = describe(
    "getDocs",
    SERVICE,
    "Get this interface as a web page on which requests can be tried out",
    response(200, "The page", media_types=["text/html"], headers=["ETag"]),
    not_modified(),
    request_headers=["If-None-Match"],
)

# Both files change with a deployment only. `make interface` writes them.
_FIVE_MINUTES = {"Cache-Control": "public, max-age=300"}
# The page names these files with a hash, so a browser may keep them for good.
_FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
# Swagger UI (Apache-2.0), as it comes with Powertools in the layer.
SWAGGER_UI = Path(aws_lambda_powertools.__file__).parent / "event_handler" / "openapi" / "swagger_ui"
_ASSETS = {
    "swagger-ui-bundle.min.js": "text/javascript; charset=utf-8",
    "swagger-ui.min.css": "text/css; charset=utf-8",
}
# Paths that the document does not describe: pages, and what clients of Nightscout ask for.
_PAGES = ("/docs/{asset}", "/signin", "/signin/callback", "/signout", "/see/{token}", "/status")
_NIGHTSCOUT = ("/api/v1/{proxy+}", "/api/v2/{proxy+}", "/api/versions")
_UNDESCRIBED: dict[str, dict[str, Any]] = {"/": {"get": {}, "post": {}}} | {
    path: {"get": {}} for path in _PAGES + _NIGHTSCOUT
}
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def build(
    tables: Iterable[tuple[str, Table]], provider_is_down: Callable[[], bool], api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes; `tables` are what the service needs to be ready."""
    # None of these routes is about a user, so there is no access to check, also not for a method that a path
    # does not have. The page at /docs adds a hash to the addresses of its files.
    app = serving.routes(api, authenticates_itself=True, open_queries=("/docs/<asset>",))

    @app.get("/health", **HEALTH)
    def health() -> Response[str]:
        return responding.json_response({"status": "ok", "version": VERSION})

    @app.get("/ready", **READY)
    def ready() -> Response[str]:
        failing = _first_failing(tables)
        if failing:
            body = {"status": "unavailable", "failing": failing}
            return responding.json_response(body, HTTPStatus.SERVICE_UNAVAILABLE)
        # Stored readings are served during an outage of the provider, so the service is still ready.
        return responding.json_response({"status": "ok", "provider": _provider_state(provider_is_down)})

    @app.not_found
    def no_route(_: NotFoundError) -> Response[str]:
        # A browser asks with OPTIONS before it calls from another origin. The gateway adds what it allows.
        if app.current_event.http_method == "OPTIONS":
            return Response(HTTPStatus.NO_CONTENT, body="", headers=responding.NO_STORE)
        allowed = _methods_of(app.current_event.path)
        if allowed:
            return responding.problem_response(
                Problem(problems.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})
            )
        return responding.problem_response(Problem(problems.NOT_FOUND))

    _add_documentation(app)
    return app


def _add_documentation(app: APIGatewayHttpResolver) -> None:
    @app.get("/openapi.json", **DOCUMENT)
    def document() -> Response[str]:
        return responding.cacheable_response(app, _file("openapi.json"), headers=_FIVE_MINUTES)

    @app.get("/docs", **VIEWER)
    def viewer() -> Response[str]:
        page = _file("docs.html")
        headers = _FIVE_MINUTES | page_headers(page)
        return responding.cacheable_response(app, page, "text/html; charset=utf-8", headers=headers)

    @app.get("/docs/<asset>", include_in_schema=False, compress=True)
    def viewer_asset(asset: str) -> Response[str]:
        if asset not in _ASSETS:
            raise Problem(problems.NOT_FOUND)
        text = (SWAGGER_UI / asset).read_text(encoding="utf-8")
        return Response(HTTPStatus.OK, content_type=_ASSETS[asset], body=text, headers={**_FOR_GOOD})


def page_headers(page: str) -> dict[str, str]:
    """Return the headers that let the page run its own script and Swagger UI, and nothing else."""
    hashes: dict[str, str] = {"script": "", "style": ""}
    for tag, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[tag] += f" 'sha256-{digest}'"
    policy = (
        "default-src 'none'",
        f"script-src 'self'{hashes['script']}",
        f"style-src 'self'{hashes['style']}",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {"Content-Security-Policy": "; ".join(policy), "Referrer-Policy": "no-referrer"}


def _provider_state(is_down: Callable[[], bool]) -> str:
    try:
        return "unavailable" if is_down() else "ok"
    except Exception as error:  # noqa: BLE001 - of any failure: only this member depends on it.
        telemetry.log("provider's state unknown", level=logging.WARNING, raised=error)
        return "unknown"


def _first_failing(tables: Iterable[tuple[str, Table]]) -> str | None:
    return next((name for name, table in tables if not _is_active(table)), None)


def _is_active(table: Table) -> bool:
    try:
        return table.is_active()
    except Exception as error:  # noqa: BLE001 - any failure means that the service is not ready.
        telemetry.log("not ready", level=logging.ERROR, raised=error)
        return False


def _methods_of(path: str) -> list[str]:
    """Return the methods of a path that has routes, in any function; none for an unknown path."""
    found = {method for pattern, methods in _all_routes() if pattern.fullmatch(path) for method in methods}
    return sorted(found | {"HEAD", "OPTIONS"} if "GET" in found else found | {"OPTIONS"}) if found else []


@cache
def _all_routes() -> list[tuple[re.Pattern[str], list[str]]]:
    paths = json.loads(_file("openapi.json"))["paths"] | _UNDESCRIBED
    return [(_pattern(path), [method.upper() for method in methods]) for path, methods in paths.items()]


def _pattern(path: str) -> re.Pattern[str]:
    """`{name}` stands for one part of a path, and `{name+}` for its rest."""
    rest = re.sub(r"\\{\w+\\\+\\}", ".+", re.escape(path))
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", rest))


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _app(own: Process) -> APIGatewayHttpResolver:
    tables = [
        ("readings table", own.part(readings_table)),
        ("users table", own.part(users_table)),
        ("intake table", own.part(intake_table)),
    ]
    return build(tables, own.part(provider_is_down), ApiSettings.of(own.settings))


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
