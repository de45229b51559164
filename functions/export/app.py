"""HTTP: a user's readings as a file, export jobs, and the list of all users for services."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE
from bg_ingest.access.caller_limits import WriteLimits
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import Clock, rfc_3339
from bg_ingest.exporting.export_file import MEDIA_TYPES, Exporter, ExportRequest
from bg_ingest.exporting.export_job import ExportKey, of_user
from bg_ingest.exporting.export_service import ExportService
from bg_ingest.exporting.user_list import UserList, encode_user
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.answers.export_json import (
    ExportBody,
    ExportId,
    ExportJobRequest,
    ExportJson,
    ManyUsersExportBody,
)
from bg_ingest.http_api.answers.export_responses import ExportResponses, user_after
from bg_ingest.http_api.description import EXPORT, RATE_HEADERS, Instant, describe, not_modified, response
from bg_ingest.http_api.requests import params, parsing
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring.export_parts import export_limits, export_service, exporter, user_list
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class ListedSourceJson(TypedDict):
    """One source of a listed user."""

    provider: Annotated[str, Field(examples=["nightscout"])]
    connection: ConnectionState
    data_until: Annotated[Instant | None, Field(description="Time of the newest reading of this source")]


class ListedUserJson(TypedDict):
    """One user who ever connected."""

    user_id: str
    connection: Annotated[ConnectionState, Field(description="The best state of the user's sources")]
    provider: Annotated[
        str, Field(description="The source with that state, first the sensor's own", examples=["dexcom"])
    ]
    data_until: Annotated[Instant | None, Field(description="Time of the newest reading of any source")]
    sources: list[ListedSourceJson]


USERS = describe(
    "listUsers",
    EXPORT,
    "List all users who ever connected, page by page, for services",
    response(
        200,
        "One page of users, in the order of their ids; the Link header is set if there is a next page",
        ListedUserJson,
        is_list=True,
        headers=["Link"],
    ),
    scope=READ_SCOPE,
    services_only=True,
)
FILE = describe(
    "exportReadings",
    EXPORT,
    "Export the readings of a range, or a grid of five minutes, as one file",
    response(
        200,
        "The file; with `as_of`, the same request always gives the same bytes",
        media_types=[media_type.partition(";")[0] for media_type in MEDIA_TYPES.values()],
        headers=["Content-Disposition", "ETag"],
    ),
    response(
        303,
        "The file is too large for one response; Location is a link for five minutes",
        headers=["Location"],
    ),
    not_modified("Content-Disposition"),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
    request_headers=["If-None-Match"],
)

ORDERED = response(
    202, "The export is queued; Location is its URL", ExportJson, headers=["Location", *RATE_HEADERS]
)
ORDER_PROBLEMS = [problems.RANGE_TOO_LONG, problems.TOO_MANY_EXPORTS, problems.TOO_MANY_REQUESTS]
SHOWN = response(
    200,
    "The export and a page of its files; the Link header is set if there is a next page",
    ExportJson,
    headers=["Link"],
)
REMOVED = response(204, "The export is removed: no link to a file works any more", headers=RATE_HEADERS)
ORDER = describe(
    "startExport",
    EXPORT,
    "Export any range as files, one for each month, in the background",
    ORDERED,
    scope=READ_SCOPE,
    problems=ORDER_PROBLEMS,
)
SHOW = describe("getExport", EXPORT, "Get an export and links to its files", SHOWN, scope=READ_SCOPE)
REMOVE = describe(
    "removeExport",
    EXPORT,
    "Remove an export and its files; one that runs ends",
    REMOVED,
    scope=READ_SCOPE,
    problems=[problems.TOO_MANY_REQUESTS],
)
ORDER_MANY = describe(
    "startExportOfUsers",
    EXPORT,
    "Export many users, or all, as files, one for each user and month, in the background",
    ORDERED,
    scope=READ_SCOPE,
    services_only=True,
    problems=ORDER_PROBLEMS,
)
SHOW_MANY = describe(
    "getExportOfUsers",
    EXPORT,
    "Get an export of many users, which this service has ordered, and links to its files",
    SHOWN,
    scope=READ_SCOPE,
    services_only=True,
)
REMOVE_MANY = describe(
    "removeExportOfUsers",
    EXPORT,
    "Remove an export of many users, which this service has ordered, and its files",
    REMOVED,
    scope=READ_SCOPE,
    services_only=True,
    problems=[problems.TOO_MANY_REQUESTS],
)


def build(
    users: UserList,
    exporter: Exporter,
    exports: ExportService,
    audit: Audit,
    limits: WriteLimits,
    clock: Clock,
    api: ApiSettings,
) -> APIGatewayHttpResolver:
    """Build the routes."""
    # Checks access, counts writes and audits each request before the route runs.
    app = serving.routes(api, audit, limits)
    _add_direct_routes(app, users, exporter, clock, api)
    responses = ExportResponses(app, exports, api)
    _add_routes_of_user(app, responses)
    _add_routes_of_service(app, responses)
    return app


def _add_direct_routes(
    app: APIGatewayHttpResolver, users: UserList, exporter: Exporter, clock: Clock, api: ApiSettings
) -> None:

    @app.get("/api/bg", **USERS)
    def list_users(limit: params.UsersLimit = 100, cursor: params.Cursor = None) -> Response[str]:
        page, last = users.page(user_after(cursor), limit)
        following = {"limit": str(limit), "cursor": encode_user(last)} if last else None
        link = responding.next_link(app, api, following)
        shown = [
            {
                "user_id": user.user_id,
                "connection": user.sources[0].state,
                "provider": user.sources[0].provider,
                "data_until": rfc_3339(user.data_until),
                "sources": [
                    {
                        "provider": source.provider,
                        "connection": source.state,
                        "data_until": rfc_3339(source.data_until),
                    }
                    for source in user.sources
                ],
            }
            for user in page
        ]
        return responding.json_response(shown, headers=link)

    @app.get("/api/bg/<user_id>/export", **FILE)
    def export(
        user_id: params.UserId,
        from_: params.From = None,
        to: params.To = None,
        format_: params.ExportFormat = "parquet",
        grid: params.ExportGrid = None,
        columns: params.ExportColumns = None,
        as_of: params.AsOf = None,
    ) -> Response[str]:
        now = clock.now()
        then = parsing.parse_as_of(as_of, now)
        start, end = parsing.parse_range(from_, to, then or now)
        request = ExportRequest(user_id, start, end, format_, grid is not None, then, columns)
        content = exporter.content(request)
        if not exporter.fits(content):
            headers = responding.NO_STORE | {"Location": exporter.link_to(request, content)}
            return Response(HTTPStatus.SEE_OTHER, body="", headers=headers)
        digest = hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
        disposition = {"Content-Disposition": f'attachment; filename="{request.file_name}"'}
        media_type = MEDIA_TYPES[format_]
        return responding.cacheable_response(
            app, content, media_type, validated_by=digest, headers=disposition
        )


def _add_routes_of_user(app: APIGatewayHttpResolver, responses: ExportResponses) -> None:
    @app.post("/api/bg/<user_id>/exports", **ORDER)
    def order(user_id: params.UserId, body: ExportBody = None) -> Response[str]:
        path = f"/api/bg/{user_id}/exports"
        return responses.ordered(of_user(user_id), body or ExportJobRequest(), path, [user_id])

    @app.get("/api/bg/<user_id>/exports/<export_id>", **SHOW)
    def show(
        user_id: params.UserId,
        export_id: ExportId,
        limit: params.FilesLimit = 1000,
        cursor: params.Cursor = None,
    ) -> Response[str]:
        return responses.shown(ExportKey(of_user(user_id), export_id), limit, cursor)

    @app.delete("/api/bg/<user_id>/exports/<export_id>", **REMOVE)
    def remove(user_id: params.UserId, export_id: ExportId) -> Response[str]:
        return responses.removed(ExportKey(of_user(user_id), export_id))


def _add_routes_of_service(app: APIGatewayHttpResolver, responses: ExportResponses) -> None:
    @app.post("/api/exports", **ORDER_MANY)
    def order_many(body: ManyUsersExportBody) -> Response[str]:
        user_ids = None if body.users == "all" else body.users
        return responses.ordered(responses.owner(), body, "/api/exports", user_ids)

    @app.get("/api/exports/<export_id>", **SHOW_MANY)
    def show_many(
        export_id: ExportId, limit: params.FilesLimit = 1000, cursor: params.Cursor = None
    ) -> Response[str]:
        return responses.shown(ExportKey(responses.owner(), export_id), limit, cursor)

    @app.delete("/api/exports/<export_id>", **REMOVE_MANY)
    def remove_many(export_id: ExportId) -> Response[str]:
        return responses.removed(ExportKey(responses.owner(), export_id))


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    parts = own.part(user_list), own.part(exporter), own.part(export_service)
    return build(*parts, own.part(audit), own.part(export_limits), own.clock, api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
