from __future__ import annotations

from typing import get_args

import pytest

from bg_ingest.providers.errors import (
    CircuitOpen,
    Garbled,
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.policy import Policy
from dexcom_sim.faults import (
    BodyShape,
    Dropped,
    MangledBody,
    QuotaExhausted,
    SlowBody,
    SlowHeaders,
    StatusFault,
)
from tests.contract.dexcom_caller import Caller, connected

EGVS = "*/egvs"


@pytest.fixture
def caller() -> Caller:
    """A user who has just connected."""
    return connected()


@pytest.mark.parametrize("body", get_args(BodyShape))
@pytest.mark.parametrize(
    ("status", "kind", "calls"),
    [
        (400, RequestRefused, 1),
        (401, TokenRejected, 1),
        (403, TokenRejected, 1),
        (404, RequestRefused, 1),
        (429, Throttled, 3),
        (500, Unavailable, 3),
        (502, Unavailable, 3),
        (503, Unavailable, 3),
    ],
)
def test_status_decides_error_and_number_of_calls(
    caller: Caller, status: int, kind: type[ProviderError], calls: int, body: BodyShape
) -> None:
    """For any body the status decides the error; a rejection costs one call, a failure three."""
    caller.order(StatusFault(status=status, body=body, path=EGVS))

    with pytest.raises(kind):
        caller.egvs()
    assert caller.calls == calls


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_brief_failure_costs_one_call_more(caller: Caller, status: int) -> None:
    """A single failure is retried, and the caller gets all readings."""
    caller.order(StatusFault(status=status, times=1))

    assert len(caller.readings()) > 200
    assert caller.calls == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_short_retry_after_is_waited(caller: Caller, form: str) -> None:
    """A Retry-After of seven seconds, in seconds or as a date, is waited exactly."""
    caller.order(
        StatusFault.model_validate({"status": 429, "retry_after_s": 7, "retry_after_form": form, "times": 1})
    )

    assert len(caller.readings()) > 200
    assert (caller.calls, caller.clock.naps) == (2, [7.0])


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_long_retry_after_is_raised(caller: Caller, form: str) -> None:
    """A Retry-After of 90 seconds raises Throttled at once, with that time."""
    caller.order(StatusFault.model_validate({"status": 429, "retry_after_s": 90, "retry_after_form": form}))

    with pytest.raises(Throttled) as caught:
        caller.egvs()
    assert (caught.value.retry_after_s, caller.calls, caller.clock.naps) == (90.0, 1, [])


@pytest.mark.parametrize("shape", ["html", "truncated", "empty"])
def test_body_without_json_is_retried(caller: Caller, shape: str) -> None:
    """A 200 that is truncated, empty or HTML is retried; after three attempts it raises Garbled."""
    caller.order(MangledBody.model_validate({"shape": shape, "path": EGVS, "times": 4}))

    with pytest.raises(Garbled):
        caller.egvs()
    assert caller.calls == 3
    assert len(caller.readings()) > 200
    assert caller.calls == 5


def test_slow_headers_time_out(caller: Caller) -> None:
    """Headers that take 35 seconds time out, and three attempts end within the call's time limit."""
    caller.order(SlowHeaders(wait_s=35.0))
    started_s = caller.clock.monotonic_s()

    with pytest.raises(Unavailable):
        caller.egvs()
    assert caller.calls == 3
    assert caller.clock.monotonic_s() - started_s <= Policy().time_s_max


def test_slow_body_times_out_and_is_retried(caller: Caller) -> None:
    """A body whose pieces arrive in time is cut off after its total time, and the call is retried."""
    caller.order(SlowBody(wait_s=3.0, chunks=10, times=1))

    assert len(caller.readings()) > 200
    assert caller.calls == 2


def test_response_within_ten_seconds_is_read(caller: Caller) -> None:
    """A response that takes ten seconds needs no retry."""
    caller.order(SlowHeaders(wait_s=10.0))

    assert len(caller.readings()) > 200
    assert caller.calls == 1


@pytest.mark.parametrize("when", ["before_handling", "after_handling", "mid_body"])
def test_dropped_connection_is_retried(caller: Caller, when: str) -> None:
    """A connection that breaks at any point is retried; after three attempts it raises Unavailable."""
    caller.order(Dropped.model_validate({"when": when, "times": 4}))

    with pytest.raises(Unavailable):
        caller.egvs()
    assert caller.calls == 3
    assert len(caller.readings()) > 200
    assert caller.calls == 5


def test_outage_costs_few_calls_and_probes(caller: Caller) -> None:
    """An outage costs the calls of one window and one per recovery time; calls succeed after it."""
    caller.order(StatusFault(status=503, lasts_s=300))
    for _ in range(10):
        with pytest.raises(TryLater):
            caller.egvs()
    assert caller.calls == CircuitRules().calls_min - 1  # The login was a call as well.

    caller.clock.advance(30.0)
    for _ in range(10):
        with pytest.raises(CircuitOpen):
            caller.egvs()
    assert caller.calls == CircuitRules().calls_min

    caller.clock.advance(300.0)
    assert caller.readings() == caller.readings() != []
    assert caller.metrics.snapshot().breaker_transitions == {
        "closed -> open": 1,
        "open -> probing": 2,
        "probing -> open": 1,
        "probing -> closed": 1,
    }


@pytest.mark.parametrize("retry_after", [True, False])
def test_exhausted_quota_at_dexcom(caller: Caller, retry_after: bool) -> None:  # noqa: FBT001 - a parameter of the cases.
    """With Retry-After the client stops after one call; without it, after three."""
    caller.order(QuotaExhausted(calls_per_hour_max=0, retry_after=retry_after))

    with pytest.raises(Throttled) as caught:
        caller.egvs()
    assert caught.value.retry_after_s == (3600.0 if retry_after else None)
    assert caller.calls == (1 if retry_after else 3)
