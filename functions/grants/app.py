"""HTTP: make, list and revoke the read grants of a user."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import WriteLimits
from bg_ingest.access.grant import Category
from bg_ingest.access.grants import GRANTS_MAX, GrantService, TooManyGrants
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.answers.grant_json import (
    CreatedGrantJson,
    GrantBody,
    GrantId,
    GrantJson,
    created_as_json,
    wanted_days,
    wanted_expiry,
)
from bg_ingest.http_api.description import GRANTS, PERSON_ONLY, RATE_HEADERS, describe, response
from bg_ingest.http_api.requests import params
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem
from bg_ingest.wiring.access.grant_parts import grant_service, grants_limits
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


CREATE = describe(
    "createGrant",
    GRANTS,
    "Give an app or another person read access; the token is shown in this response only",
    response(201, "The grant and its token", CreatedGrantJson, headers=RATE_HEADERS),
    scope=PERSON_ONLY,
    problems=[problems.TOO_MANY_GRANTS, problems.TOO_MANY_REQUESTS],
)
LIST = describe(
    "listGrants",
    GRANTS,
    "List the grants that are valid, with their uses",
    response(200, "The grants, oldest first", GrantJson, is_list=True),
    scope=PERSON_ONLY,
)
REVOKE = describe(
    "revokeGrant",
    GRANTS,
    "End a grant: its token is invalid at once",
    response(204, "The grant is revoked", headers=RATE_HEADERS),
    scope=PERSON_ONLY,
    problems=[problems.TOO_MANY_REQUESTS],
)


def build(
    grants: GrantService, audit: Audit, limits: WriteLimits, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes."""
    # Checks access, counts writes and audits each request first.
    app = serving.routes(api, audit, limits, person_only=True)

    @app.post("/api/bg/<user_id>/grants", **CREATE)
    def create(user_id: params.UserId, body: GrantBody) -> Response[str]:
        days, expires_at = wanted_days(body.days), wanted_expiry(body.expires_at, grants.clock.now())
        reads = [Category(each) for each in body.reads]
        try:
            grant, token = grants.create(user_id, body.label, reads, days, expires_at)
        except TooManyGrants:
            detail = f"A user has at most {GRANTS_MAX} grants. Revoke one first."
            raise Problem(problems.TOO_MANY_GRANTS, detail) from None
        page_url = responding.public_address(app, api, f"/see/{token}")
        return responding.json_response(created_as_json(grant, token, page_url), HTTPStatus.CREATED)

    @app.get("/api/bg/<user_id>/grants", **LIST)
    def list_grants(user_id: params.UserId) -> Response[str]:
        return responding.json_response([grant.as_json() for grant in grants.of_user(user_id)])

    @app.delete("/api/bg/<user_id>/grants/<grant_id>", **REVOKE)
    def revoke(user_id: params.UserId, grant_id: GrantId) -> Response[str]:
        if not grants.revoke(user_id, grant_id):
            raise Problem(problems.NOT_FOUND, "This user has no grant with this id.")
        return Response(HTTPStatus.NO_CONTENT, body="", headers=responding.NO_STORE)

    return app


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    return build(own.part(grant_service), own.part(audit), own.part(grants_limits), api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
