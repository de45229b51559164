"""A log record as one JSON object a line."""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.telemetry.correlation import correlation_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

Fact = str | int | float | bool | None
FactOrList = Fact | list[dict[str, Fact]]


class JsonLines(logging.Formatter):
    """Time, level, function, module, message and correlation id, then the facts of the call."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self._function = function

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, FactOrList] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "function": self._function,
            "module": record.module if record.name == "bg_ingest" else record.name,
            "message": record.getMessage(),
            "correlation_id": correlation_id(),
        }
        line |= _raised(record.exc_info) if record.exc_info else {}
        # A fact cannot replace a member that every line has.
        facts = {name: value for name, value in _facts(record).items() if name not in line}
        return json.dumps(line | facts, separators=(",", ":"))


def _facts(record: logging.LogRecord) -> dict[str, FactOrList]:
    facts: Mapping[str, Any] = getattr(record, "facts", {})
    return {name: _plain_or_list(value) for name, value in facts.items()}


def _plain_or_list(value: Any) -> FactOrList:
    """A plain value, or the plain values of each of some groups of facts."""
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return [{name: _plain(fact) for name, fact in each.items()} for each in value]
    return _plain(value)


def _plain(value: Any) -> Fact:
    """A plain value as it is; of any other value the name of its type."""
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON knows no infinity.
    if value is None or isinstance(value, str | int | float):
        return value
    return type(value).__name__


def _raised(exc_info: Any) -> dict[str, Fact]:
    """The class and the place of an error, not its text: the text may quote a value."""
    kind, error, traceback = exc_info
    if kind is None:
        return {}
    return {"raised": kind.__name__, "at": place(traceback), **_aws_facts(error)}


def _aws_facts(error: BaseException | None) -> dict[str, Fact]:
    """The AWS operation and error code; the message is left out, since it can quote values."""
    operation, response = getattr(error, "operation_name", None), getattr(error, "response", None)
    if not isinstance(operation, str) or not isinstance(response, dict):
        return {}
    return {"aws_operation": operation, "aws_code": str(response.get("Error", {}).get("Code"))}


def place(traceback: TracebackType | None) -> str:
    """File and line where an error was raised; empty if it was not raised."""
    if traceback is None:
        return ""
    while traceback.tb_next:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{code.co_filename.rpartition('bg_ingest/')[2]}:{traceback.tb_lineno}"
