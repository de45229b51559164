"""The correlation id: the same in all log lines, jobs, messages and responses of one request."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
# An acceptable id of a caller: long enough for any scheme, and safe in a log line and a header.
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def correlation_id() -> str:
    """This thread's id; a new one if none was adopted."""
    return _correlation_id.get() or adopt_correlation_id()


def adopt_correlation_id(*candidates: str | None) -> str:
    """Adopt the first acceptable id, else a new one, until the next call. A new thread has none."""
    chosen = next((name for name in candidates if name and _ACCEPTABLE_ID.fullmatch(name)), None)
    _correlation_id.set(chosen or str(uuid.uuid4()))
    return _correlation_id.get()


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C traceparent header."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None


def header_ids(headers: Mapping[str, str], request_id: str) -> tuple[str | None, str | None, str]:
    """The candidates for an HTTP request's correlation id, best first."""
    return headers.get("x-correlation-id"), trace_id(headers.get("traceparent")), request_id
