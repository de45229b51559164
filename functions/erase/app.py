"""HTTP: erase everything about a user; SQS: look once more whether anything came late."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import telemetry
from bg_ingest.http_api import params, serving
from bg_ingest.wiring import erasing

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.erasing.erase import Eraser


def build(eraser: Eraser) -> APIGatewayHttpResolver:
    """The route, over an eraser."""
    app = serving.routes()  # No audit: the receipt is the record, and an entry would outlive the erasure.

    @app.delete("/api/bg/<user_id>")
    def erase(user_id: params.UserId) -> Response[str]:
        receipt = eraser.erase(user_id, lambda: app.lambda_context.get_remaining_time_in_millis() / 1000)
        status = HTTPStatus.OK if receipt.erased_at else HTTPStatus.ACCEPTED
        return serving.json_response(receipt.as_json(), status)

    return app


def look_again(event: dict[str, Any], context: LambdaContext, eraser: Eraser) -> None:
    """One message at a time; one that fails comes back."""
    for record in event["Records"]:
        user_id = json.loads(record["body"])["user_id"]
        eraser.second_look(user_id, lambda: context.get_remaining_time_in_millis() / 1000)
        telemetry.log("looked again")


@cache
def _app() -> APIGatewayHttpResolver:
    return build(erasing.eraser())


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """Answer one request, or take one message."""
    if "Records" in event:
        telemetry.adopt_correlation_id(context.aws_request_id)
        look_again(event, context, erasing.eraser())
        return None
    return serving.serve(_app(), event, context)
