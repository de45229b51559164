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
    """A person who has connected."""
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
def test_a_refused_question(
    caller: Caller, status: int, kind: type[ProviderError], calls: int, body: BodyShape
) -> None:
    """The status decides in every shape of body: refusals cost one call, trouble three."""
    caller.order(StatusFault(status=status, body=body, path=EGVS))

    with pytest.raises(kind):
        caller.egvs()
    assert caller.calls == calls


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_that_passes(caller: Caller, status: int) -> None:
    """A hiccup costs one call more, and nobody notices."""
    caller.order(StatusFault(status=status, times=1))

    assert len(caller.readings()) > 200
    assert caller.calls == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_too_many_calls_and_a_short_wait(caller: Caller, form: str) -> None:
    """Retry-After in either form is waited, to the second."""
    caller.order(
        StatusFault.model_validate({"status": 429, "retry_after_s": 7, "retry_after_form": form, "times": 1})
    )

    assert len(caller.readings()) > 200
    assert (caller.calls, caller.clock.naps) == (2, [7.0])


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_too_many_calls_and_a_long_wait(caller: Caller, form: str) -> None:
    """Longer than a worker should sleep: the caller is told for how long, at once."""
    caller.order(StatusFault.model_validate({"status": 429, "retry_after_s": 90, "retry_after_form": form}))

    with pytest.raises(Throttled) as caught:
        caller.egvs()
    assert (caught.value.retry_after_s, caller.calls, caller.clock.naps) == (90.0, 1, [])


@pytest.mark.parametrize("shape", ["html", "truncated", "empty"])
def test_a_body_that_is_no_json(caller: Caller, shape: str) -> None:
    """Cut, empty or somebody else's page under a 200: later it may be better, and once it is."""
    caller.order(MangledBody.model_validate({"shape": shape, "path": EGVS, "times": 4}))

    with pytest.raises(Garbled):
        caller.egvs()
    assert caller.calls == 3
    assert len(caller.readings()) > 200
    assert caller.calls == 5


def test_slow_headers(caller: Caller) -> None:
    """What takes over thirty seconds is not waited for; three attempts together keep their time."""
    caller.order(SlowHeaders(wait_s=35.0))
    started_s = caller.clock.monotonic_s()

    with pytest.raises(Unavailable):
        caller.egvs()
    assert caller.calls == 3
    assert caller.clock.monotonic_s() - started_s <= Policy().time_s_max


def test_a_slow_body(caller: Caller) -> None:
    """Every piece comes in time, the whole does not; the next attempt is better."""
    caller.order(SlowBody(wait_s=3.0, chunks=10, times=1))

    assert len(caller.readings()) > 200
    assert caller.calls == 2


def test_answers_that_are_only_slow(caller: Caller) -> None:
    """Ten seconds are waited for."""
    caller.order(SlowHeaders(wait_s=10.0))

    assert len(caller.readings()) > 200
    assert caller.calls == 1


@pytest.mark.parametrize("when", ["before_handling", "after_handling", "mid_body"])
def test_a_dropped_connection(caller: Caller, when: str) -> None:
    """Whenever it drops, a question may be asked again; three times."""
    caller.order(Dropped.model_validate({"when": when, "times": 4}))

    with pytest.raises(Unavailable):
        caller.egvs()
    assert caller.calls == 3
    assert len(caller.readings()) > 200
    assert caller.calls == 5


def test_an_outage(caller: Caller) -> None:
    """Five calls see it, and one for each recovery time; then everything is as before."""
    caller.order(StatusFault(status=503, lasts_s=60))
    for _ in range(10):
        with pytest.raises(TryLater):
            caller.egvs()
    assert caller.calls == 5

    caller.clock.advance(30.0)
    for _ in range(10):
        with pytest.raises(CircuitOpen):
            caller.egvs()
    assert caller.calls == 6

    caller.clock.advance(30.0)
    assert caller.readings() == caller.readings() != []
    assert caller.metrics.snapshot().breaker_transitions == {
        "closed -> open": 1,
        "open -> probing": 2,
        "probing -> open": 1,
        "probing -> closed": 1,
    }


@pytest.mark.parametrize("retry_after", [True, False])
def test_the_hours_quota_is_exhausted(caller: Caller, retry_after: bool) -> None:  # noqa: FBT001 - a case.
    """Told how long, we stop at once; not told, we find out with two calls more."""
    caller.order(QuotaExhausted(calls_per_hour_max=0, retry_after=retry_after))

    with pytest.raises(Throttled) as caught:
        caller.egvs()
    assert caught.value.retry_after_s == (3600.0 if retry_after else None)
    assert caller.calls == (1 if retry_after else 3)
