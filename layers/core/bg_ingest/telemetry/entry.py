"""What every Lambda function has around it."""

from __future__ import annotations

import logging
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from bg_ingest.settings import SettingsInvalid
from bg_ingest.telemetry.correlation import adopt_correlation_id
from bg_ingest.telemetry.json_lines import JsonLines
from bg_ingest.telemetry.logger import log, ready
from bg_ingest.telemetry.meter import flush

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    Handler = Callable[[dict[str, Any], LambdaContext], Any]


class InvocationFailed(Exception):
    """Carries the kind of error that ended an invocation, and no text: Lambda would log it."""


def entry_point(handler: Handler) -> Handler:
    """Wrap a Lambda handler: settings checked, a correlation id on every line, metrics written at the end."""

    @wraps(handler)
    def invoked(event: dict[str, Any], context: LambdaContext) -> Any:
        _check_settings()
        adopt_correlation_id(context.aws_request_id)
        try:
            return handler(event, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text must not reach Lambda's log.
            log("invocation failed", level=logging.ERROR, raised=error)
            failure = InvocationFailed(type(error).__name__)
        finally:
            flush()
        raise failure  # Outside the except, so that it does not carry the error along.

    return invoked


def _check_settings() -> None:
    try:
        ready()
    except SettingsInvalid as fault:
        # The process ends instead of failing each event: nothing it could do would be right.
        record = logging.makeLogRecord(
            {"name": "bg_ingest.settings", "levelname": "CRITICAL", "msg": f"cannot run: {fault}"}
        )
        sys.stdout.write(JsonLines("").format(record) + "\n")
        sys.stdout.flush()
        sys.exit(1)
