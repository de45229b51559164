"""HTTP: how the whole service is doing, as a page for an operator and as JSON for a service."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from datetime import UTC
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import telemetry
from bg_ingest.access.caller import READ_SCOPE
from bg_ingest.facades.page import document
from bg_ingest.facades.page.wording import Wording
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.description import SERVICE, Instant, describe, response
from bg_ingest.http_api.pages.page_response import for_people, html_response, redirect, session_of
from bg_ingest.http_api.pages.status_values import StatusSources, service_status
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring.access.session_parts import sessions
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.status_parts import status_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.signing_in.session import Sessions

Count = Annotated[int, Field(ge=0)]


ByState = dict[Literal["connected", "needs_reauth", "disconnected"], Count]


class CountedUsersJson(TypedDict):
    """The users by the best state of their sources; `more` says whether there are others."""

    counted: Count
    more: bool
    by_state: ByState


class FailureKindJson(TypedDict):
    """The users whose last sync at one provider failed for one reason."""

    provider: Annotated[str, Field(examples=["dexcom"])]
    type: Annotated[str, Field(examples=["Throttled"])]
    users: Count
    newest_at: Instant


class QueueLevelJson(TypedDict):
    """The messages of one queue; `given_up` are those of its dead-letter queue."""

    waiting: Count
    in_work: Count
    delayed: Count
    given_up: Count


class QuotaJson(TypedDict):
    """The calls to the provider in this hour."""

    taken: Count
    limit: Count
    renewed_at: Instant


class ServiceStatusJson(TypedDict):
    """How the service is doing, in numbers."""

    at: Instant
    users: CountedUsersJson
    sources: Annotated[
        dict[str, ByState], Field(description="The sources of these users by provider and state")
    ]
    newest_reading: Annotated[
        dict[str, Count], Field(description="Connected users by the age of their newest reading")
    ]
    failures: list[FailureKindJson]
    queues: dict[str, QueueLevelJson]
    quota: QuotaJson
    provider: Literal["ok", "unavailable"]
    concerns: Annotated[list[str], Field(description="What needs a look, the most urgent first")]


STATUS = describe(
    "getStatus",
    SERVICE,
    "Get the numbers of the whole service: users, ages of data, queues, quota, failures",
    response(200, "The numbers", ServiceStatusJson),
    scope=READ_SCOPE,
    services_only=True,
)
_NOT_AN_OPERATOR = (
    "This page is for operators",
    "Your user is not named in the parameter OperatorIds of the service.",
)


def build(
    sources: Callable[[], StatusSources],
    page_sessions: Callable[[], Sessions],
    operators: frozenset[str],
    api: ApiSettings,
) -> APIGatewayHttpResolver:
    """Build the routes; `operators` are the users whose session opens the page."""
    # The page has no user id and no scope in its token, so the route checks the session itself.
    app = serving.routes(api, open_queries=("/status",))

    @app.get("/api/status", **STATUS)
    def numbers() -> Response[str]:
        return responding.json_response(service_status(sources()).as_json())

    @app.get("/status", include_in_schema=False)
    def page() -> Response[str]:
        session = session_of(app, page_sessions())
        if session is None:
            return redirect("/signin")
        if session.user_id not in operators:
            return html_response(document.message_page(*_NOT_AN_OPERATOR), HTTPStatus.FORBIDDEN)
        status = service_status(sources())
        return html_response(document.status_page(status, Wording(status.at, UTC, "mg/dL")))

    return app


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    operators = frozenset(filter(None, (part.strip() for part in own.settings.operator_ids.split(","))))
    return build(lambda: own.part(status_sources), lambda: own.part(sessions), operators, api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    answer = serving.serve(process().part(_app), event, context, process().clock)
    return for_people(answer) if event["rawPath"] == "/status" else answer
