from __future__ import annotations

import uuid
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.telemetry import adopt_correlation_id, correlation_id, header_ids, trace_id

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_callers_correlation_id_has_priority() -> None:
    """X-Correlation-ID is used first, then traceparent, then the request id."""
    headers = {"x-correlation-id": "ticket-4711", "traceparent": TRACEPARENT}

    assert adopt_correlation_id(*header_ids(headers, "request-1")) == "ticket-4711"
    assert adopt_correlation_id(*header_ids({"traceparent": TRACEPARENT}, "request-1")) == TRACEPARENT[3:35]
    assert adopt_correlation_id(*header_ids({}, "request-1")) == "request-1"


@pytest.mark.parametrize("name", [None, "", "a b", "x" * 129, "line\nbreak", "é", '"quoted"', "-starts-so"])
def test_an_invalid_correlation_id_is_replaced_by_a_uuid(name: str | None) -> None:
    """An id is written to lines and headers, so only some characters are allowed."""
    assert uuid.UUID(adopt_correlation_id(name)).version == 4


@given(st.text())
def test_any_correlation_id_fits_a_line_and_a_header(name: str) -> None:
    """The chosen id is printable ASCII, not empty, and at most 128 characters long."""
    chosen = adopt_correlation_id(name)

    assert 1 <= len(chosen) <= 128
    assert chosen.isascii()
    assert chosen.isprintable()


def test_a_trace_of_the_reserved_version_is_ignored() -> None:
    """W3C reserves the version `ff`."""
    assert trace_id(f"ff{TRACEPARENT[2:]}") is None


@given(st.text())
def test_an_invalid_traceparent_has_no_trace_id(header: str) -> None:
    """Any other text has no trace id and raises no exception."""
    assert trace_id(header) is None


def test_each_thread_has_its_own_correlation_id() -> None:
    """The id of one order does not appear in the lines of another."""
    adopt_correlation_id("mine")
    seen: list[str] = []
    for name in ("one", "two"):
        thread = Thread(target=lambda name=name: seen.append(adopt_correlation_id(name)))
        thread.start()
        thread.join()

    assert seen == ["one", "two"]
    assert correlation_id() == "mine"


def test_a_generated_correlation_id_stays_the_same() -> None:
    """Without a given id, a thread generates one for all its lines."""
    made: list[str] = []
    thread = Thread(target=lambda: made.extend([correlation_id(), correlation_id()]))
    thread.start()
    thread.join()

    assert uuid.UUID(made[0]).version == 4
    assert made[0] == made[1]
