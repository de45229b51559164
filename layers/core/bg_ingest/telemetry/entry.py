"""The wrapper around every Lambda handler: settings checked, correlation id set, metrics written."""

from __future__ import annotations

from bg_ingest.telemetry.boot import resume_collection

import logging
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from bg_ingest.settings import SettingsInvalid
from bg_ingest.telemetry.correlation import adopt_correlation_id
from bg_ingest.telemetry.json_lines import JsonLines
from bg_ingest.telemetry.logger import ensure_configured, log
from bg_ingest.telemetry.meter import flush

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.clock import Clock
    from bg_ingest.settings import Settings

    Handler = Callable[[dict[str, Any], LambdaContext], Any]


class InvocationFailed(Exception):
    """Carries the class of the error that ended an invocation, and no text: Lambda would log it."""


class HasSettings(Protocol):
    """The part of a process that telemetry uses."""

    @property
    def settings(self) -> Settings:
        """Its settings."""
        ...

    @property
    def clock(self) -> Clock:
        """Its clock."""
        ...


def entry_point(process: Callable[[], HasSettings]) -> Callable[[Handler], Handler]:
    """Decorate a Lambda handler; `process` returns this process with its settings."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def invoked(event: dict[str, Any], context: LambdaContext) -> Any:
            own = _checked(process)
            adopt_correlation_id(context.aws_request_id)
            try:
                return handler(event, context)
            except Exception as error:  # noqa: BLE001 - of any error, the text must not reach Lambda's log.
                log("invocation failed", level=logging.ERROR, raised=error)
                failure = InvocationFailed(type(error).__name__)
            finally:
                flush(own.settings.aws_lambda_function_name, own.clock.now())
                resume_collection()
            raise failure  # Outside the except, so that it does not carry the error along.

        return invoked

    return decorate


def _checked(process: Callable[[], HasSettings]) -> HasSettings:
    try:
        own = process()
        ensure_configured(own.settings, own.clock)
    except SettingsInvalid as fault:
        # With invalid settings every event would be handled wrongly, so the process ends.
        record = logging.makeLogRecord(
            {"name": "bg_ingest.settings", "levelname": "CRITICAL", "msg": f"cannot run: {fault}"}
        )
        sys.stdout.write(JsonLines("").format(record) + "\n")
        sys.stdout.flush()
        sys.exit(1)
    return own
