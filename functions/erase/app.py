"""HTTP: erase all data of a user. SQS: erase again what was written while the first erasure ran."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import json
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import problems, telemetry
from bg_ingest.access.caller import WRITE_SCOPE
from bg_ingest.access.caller_limits import WriteLimits
from bg_ingest.erasing.erase import Eraser
from bg_ingest.erasing.receipt import ErasureActor
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.description import PRIVACY, RATE_HEADERS, Instant, describe, response
from bg_ingest.http_api.requests import params
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring.erase_parts import eraser
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import write_limits

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class ErasureActorJson(TypedDict):
    """The caller that asked for the erasure."""

    kind: Annotated[str, Field(examples=["person"], description="`person` or `service`")]
    id: Annotated[str | None, Field(description="A hash of the token's subject")]


class ReceiptJson(TypedDict):
    """The items that an erasure has removed, counted by kind."""

    receipt_id: str
    erased_at: Annotated[Instant | None, Field(description="null until the erasure is complete")]
    actor: ErasureActorJson | None
    removed: dict[str, int]


ERASE = describe(
    "eraseUser",
    PRIVACY,
    "Erase all data of a user; it cannot be undone, and repeating it is safe",
    response(200, "The erasure is complete", ReceiptJson, headers=RATE_HEADERS),
    response(
        202,
        "The erasure continues in the background: there was too much data",
        ReceiptJson,
        headers=RATE_HEADERS,
    ),
    scope=WRITE_SCOPE,
    problems=[problems.TOO_MANY_REQUESTS],
)


def build(eraser: Eraser, limits: WriteLimits, api: ApiSettings) -> APIGatewayHttpResolver:
    """Build the route."""
    # Checks access before the route runs. No audit: the receipt is the record, and an audit entry would be
    # personal data that is left after the erasure.
    app = serving.routes(api, None, limits)

    @app.delete("/api/bg/<user_id>", **ERASE)
    def erase(user_id: params.UserId) -> Response[str]:
        actor = ErasureActor.of(serving.caller(app, api))
        receipt = eraser.erase(
            user_id, lambda: app.lambda_context.get_remaining_time_in_millis() / 1000, actor
        )
        status = HTTPStatus.OK if receipt.erased_at else HTTPStatus.ACCEPTED
        return responding.json_response(receipt.as_json(), status)

    return app


def look_again(event: dict[str, Any], context: LambdaContext, eraser: Eraser) -> None:
    """Erase the data that each message names again; a message that fails is delivered again."""

    def left_s() -> float:
        return context.get_remaining_time_in_millis() / 1000

    for record in event["Records"]:
        message = json.loads(record["body"])
        if "asked_at" in message:  # From the page, whose function must not delete readings itself.
            actor = ErasureActor(message["kind"], message["actor"])
            asked_at = datetime.fromisoformat(message["asked_at"])
            eraser.erase_as_asked(message["user_id"], asked_at, actor, left_s)
            telemetry.log("erased as asked")
        else:
            eraser.second_look(message["user_id"], left_s)
            telemetry.log("looked again")


def _app(own: Process) -> APIGatewayHttpResolver:
    return build(own.part(eraser), own.part(write_limits), ApiSettings.of(own.settings))


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """Handle one request or one message."""
    if "Records" in event:
        telemetry.adopt_correlation_id(context.aws_request_id)
        look_again(event, context, process().part(eraser))
        return None
    return serving.serve(process().part(_app), event, context, process().clock)
