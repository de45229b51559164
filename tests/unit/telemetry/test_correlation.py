from __future__ import annotations

import uuid
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.telemetry import adopt_correlation_id, correlation_id, header_ids, trace_id

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_callers_own_id_comes_before_the_traces_and_the_gateways() -> None:
    """X-Correlation-ID, else traceparent, else the request id."""
    headers = {"x-correlation-id": "ticket-4711", "traceparent": TRACEPARENT}

    assert adopt_correlation_id(*header_ids(headers, "request-1")) == "ticket-4711"
    assert adopt_correlation_id(*header_ids({"traceparent": TRACEPARENT}, "request-1")) == TRACEPARENT[3:35]
    assert adopt_correlation_id(*header_ids({}, "request-1")) == "request-1"


@pytest.mark.parametrize("name", [None, "", "a b", "x" * 129, "line\nbreak", "é", '"quoted"', "-starts-so"])
def test_an_id_that_cannot_be_is_replaced_by_a_random_one(name: str | None) -> None:
    """It goes into lines and headers, so not every text may be one."""
    assert uuid.UUID(adopt_correlation_id(name)).version == 4


@given(st.text())
def test_whatever_is_offered_the_id_fits_on_a_line_and_in_a_header(name: str) -> None:
    """Printable ASCII, at most 128 characters, never empty."""
    chosen = adopt_correlation_id(name)

    assert 1 <= len(chosen) <= 128
    assert chosen.isascii()
    assert chosen.isprintable()


def test_a_trace_of_the_version_that_is_none_counts_for_nothing() -> None:
    """W3C keeps `ff` free for good."""
    assert trace_id(f"ff{TRACEPARENT[2:]}") is None


@given(st.text())
def test_no_header_breaks_the_reading_of_traces(header: str) -> None:
    """What is no traceparent has no trace id."""
    assert trace_id(header) is None


def test_a_thread_has_an_id_of_its_own() -> None:
    """One order's id never shows up in the lines of another."""
    adopt_correlation_id("mine")
    seen: list[str] = []
    for name in ("one", "two"):
        thread = Thread(target=lambda name=name: seen.append(adopt_correlation_id(name)))
        thread.start()
        thread.join()

    assert seen == ["one", "two"]
    assert correlation_id() == "mine"


def test_without_any_id_one_is_made_and_stays() -> None:
    """Every line has one, also where nobody brought it."""
    made: list[str] = []
    thread = Thread(target=lambda: made.extend([correlation_id(), correlation_id()]))
    thread.start()
    thread.join()

    assert uuid.UUID(made[0]).version == 4
    assert made[0] == made[1]
