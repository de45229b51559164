"""The id that ties together everything one request causes: log lines, jobs, messages, answers."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
# What a caller may send us as an id: long enough for any scheme, nothing that could break a line or a header.
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def correlation_id() -> str:
    """This thread's id; where nobody brought one, one is made."""
    return _correlation_id.get() or adopt_correlation_id()


def adopt_correlation_id(*candidates: str | None) -> str:
    """Take the first acceptable id, else make one; it stays until the next call. A new thread has none."""
    chosen = next((name for name in candidates if name and _ACCEPTABLE_ID.fullmatch(name)), None)
    _correlation_id.set(chosen or str(uuid.uuid4()))
    return _correlation_id.get()


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C traceparent header."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None


def header_ids(headers: Mapping[str, str], request_id: str) -> tuple[str | None, str | None, str]:
    """Where an HTTP request's correlation id may come from, best first."""
    return headers.get("x-correlation-id"), trace_id(headers.get("traceparent")), request_id
