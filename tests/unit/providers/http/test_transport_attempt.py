from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.providers.errors import Crowded, OutOfTime
from bg_ingest.providers.http.call_record import CallRecord
from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.rate_limiter import ProcessRateLimiter, RateRules
from tests.unit.providers.dexcom.made_up import PATH, SERVER_ERROR, Replies, get, ok, polite

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock


def test_every_attempt_becomes_a_record(clock: FakeClock) -> None:
    """One frozen record each, with the numbers a log line and a metric need, and without the query."""
    seen: list[CallRecord] = []

    def dexcom(_: httpx.Request) -> httpx.Response:
        clock.advance(0.5)
        if not seen:
            raise httpx.ConnectError("refused")
        return httpx.Response(503, content=b"down") if len(seen) == 1 else ok({"records": []})

    get(polite(clock, dexcom, observe=seen.append))

    first = CallRecord(
        "egvs", "GET", PATH, attempt=1, sent=True, error="Unavailable", latency_s=0.5, circuit="closed"
    )
    assert seen == [
        first,
        replace(first, attempt=2, status=503, size_bytes=4, waited_s=0.25),
        replace(first, attempt=3, status=200, error=None, size_bytes=15, waited_s=0.5),
    ]


def test_a_call_that_is_not_made_is_a_record_too(clock: FakeClock) -> None:
    """Who counts calls must be able to tell those Dexcom never saw."""
    seen: list[CallRecord] = []
    http = polite(clock, Replies(ok()), observe=seen.append)

    with pytest.raises(OutOfTime):
        get(http, time_left_s=lambda: 0.0)

    assert seen == [CallRecord("egvs", "GET", PATH, attempt=1, sent=False, error="OutOfTime")]


def test_waiting_for_our_turn_shows(clock: FakeClock) -> None:
    """It is part of what a call cost its caller."""
    seen: list[CallRecord] = []
    pace = ProcessRateLimiter(clock, RateRules(calls_max=1, period_s=3.0))
    http = polite(clock, Replies(ok()), admission=admission_control(clock, pace=pace), observe=seen.append)
    get(http)
    get(http)

    assert [one.waited_s for one in seen] == [0.0, 3.0]


def test_who_is_not_let_through_does_not_try_again(clock: FakeClock) -> None:
    """Knocking once more would be no more polite; the queue is the place to wait."""
    seen: list[CallRecord] = []
    pace = ProcessRateLimiter(clock, RateRules(calls_max=1, period_s=6.0))
    http = polite(clock, Replies(ok()), admission=admission_control(clock, pace=pace), observe=seen.append)
    get(http)
    with pytest.raises(Crowded):
        get(http)

    assert [one.error for one in seen] == [None, "Crowded"]
    assert clock.naps == []


def test_a_request_of_somebody_else_is_polite_too(clock: FakeClock) -> None:
    """The transport serves any httpx.Client, not only ours."""
    seen: list[CallRecord] = []
    replies = Replies(SERVER_ERROR, ok())

    assert polite(clock, replies, observe=seen.append).get(PATH, params={"secret": "7"}).status_code == 200
    assert [(one.operation, one.path) for one in seen] == [("other", PATH)] * 2
