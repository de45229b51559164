"""HTTP: erase all data of a user. SQS: erase again what was written while the first erasure ran."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import telemetry
from bg_ingest.access.caller import WRITE_SCOPE
from bg_ingest.erasing.erase import Eraser
from bg_ingest.http_api import params, serving
from bg_ingest.http_api.description import PRIVACY, Instant, describe, response
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring.erase_parts import eraser
from bg_ingest.wiring.process import Process, process

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class ReceiptJson(TypedDict):
    """The items that an erasure has removed, counted by kind."""

    receipt_id: str
    erased_at: Annotated[Instant | None, Field(description="null until the erasure is complete")]
    removed: dict[str, int]


ERASE = describe(
    "eraseUser",
    PRIVACY,
    "Erase all data of a user; it cannot be undone, and repeating it is safe",
    response(200, "The erasure is complete", ReceiptJson),
    response(202, "The erasure continues in the background: there was too much data", ReceiptJson),
    scope=WRITE_SCOPE,
)


def build(eraser: Eraser, api: ApiSettings) -> APIGatewayHttpResolver:
    """Build the route."""
    # Checks access before the route runs. No audit: the receipt is the record, and an audit entry would be
    # personal data that is left after the erasure.
    app = serving.routes(api)

    @app.delete("/api/bg/<user_id>", **ERASE)
    def erase(user_id: params.UserId) -> Response[str]:
        receipt = eraser.erase(user_id, lambda: app.lambda_context.get_remaining_time_in_millis() / 1000)
        status = HTTPStatus.OK if receipt.erased_at else HTTPStatus.ACCEPTED
        return serving.json_response(receipt.as_json(), status)

    return app


def look_again(event: dict[str, Any], context: LambdaContext, eraser: Eraser) -> None:
    """Erase the data that each message names again; a message that fails is delivered again."""
    for record in event["Records"]:
        user_id = json.loads(record["body"])["user_id"]
        eraser.second_look(user_id, lambda: context.get_remaining_time_in_millis() / 1000)
        telemetry.log("looked again")


def _app(own: Process) -> APIGatewayHttpResolver:
    return build(own.part(eraser), ApiSettings.of(own.settings))


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """Handle one request or one message."""
    if "Records" in event:
        telemetry.adopt_correlation_id(context.aws_request_id)
        look_again(event, context, process().part(eraser))
        return None
    return serving.serve(process().part(_app), event, context, process().clock)
