"""
Politeness, as a transport around a transport: at our pace, in the caller's time, and again if it may help.

What is tried again: GETs, after 408, 429, 5xx, a timeout, a broken connection, or half a body.
What never is: everything else. A POST to the token endpoint spends a token whether or not its answer arrives.

The last answer is handed on whatever its status; without any, one of our own errors is raised. Nothing here
logs: every attempt, made or refused, becomes one Exchange for the observer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.errors import (
    ContractBroken,
    Garbled,
    OutOfTime,
    ProviderError,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.http.admission import Decision
from bg_ingest.providers.http.call_record import Call, CallRecord, call_of, ignore_record
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.send import no_response_error
from bg_ingest.providers.http.statuses import error_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.admission import AdmissionControl
    from bg_ingest.providers.http.call_record import Observe


class PoliteTransport(httpx.BaseTransport):
    """Makes the calls to one host as they should be made; thread-safe."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        admission: AdmissionControl,
        policy: Policy | None = None,
        *,
        observe: Observe = ignore_record,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy or Policy()
        self._attempts = AttemptMaker(inner, admission, self._policy)
        self._clock = admission.clock
        self._observe = observe
        self._jitter = jitter

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One call, however many attempts that takes."""
        time_s = min(call_of(request).time_left_s(), self._policy.time_s_max)
        ends_at_s = self._clock.monotonic_s() + time_s
        waited_s = 0.0
        for attempt in count(1):
            outcome = self._attempts.make(request, ends_at_s)
            self._observe(outcome.exchange(attempt, waited_s))
            wait_s = self._wait_s(attempt, outcome, ends_at_s)
            if wait_s is None:
                break
            self._clock.sleep(wait_s)
            waited_s = wait_s
        if outcome.response is not None:
            return outcome.response
        assert outcome.failure is not None  # noqa: S101 - no answer has a reason.
        raise outcome.failure

    def close(self) -> None:
        """Close the connections."""
        self._attempts.inner.close()

    def _wait_s(self, attempt: int, outcome: Attempt, ends_at_s: float) -> float | None:
        """How long to wait before trying again; None if that was it."""
        retryable_failure = outcome.retryable_failure
        if retryable_failure is None or outcome.method != "GET" or attempt >= self._policy.attempts_max:
            return None
        wait_s = self._policy.backoff.wait_s(attempt, self._jitter(), retryable_failure.retry_after_s)
        if wait_s is None:
            return None
        left_s = ends_at_s - self._clock.monotonic_s() - wait_s
        return wait_s if left_s >= self._policy.attempt_s_min else None


# One attempt at a call: through the turnstile, onto the network, and what came of it.


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt came to: an answer, a failure, or an answer that is one."""

    call: Call
    method: str
    passage: Decision
    response: httpx.Response | None = None
    failure: ProviderError | None = None
    latency_s: float = 0.0

    @property
    def retryable_failure(self) -> TryLater | None:
        """Dexcom's own failure, which may have passed the next time; who was not let through is not asked."""
        sent = self.passage.refused is None
        return self.failure if sent and isinstance(self.failure, TryLater) else None

    def exchange(self, attempt: int, waited_s: float) -> CallRecord:
        """The record of it, `waited_s` after the attempt before."""
        response = self.response
        return CallRecord(
            operation=self.call.operation,
            method=self.method,
            path=self.call.path,
            attempt=attempt,
            sent=self.passage.refused is None,
            status=response.status_code if response is not None else None,
            error=type(self.failure).__name__ if self.failure else None,
            latency_s=self.latency_s,
            size_bytes=len(response.content) if response is not None else 0,
            waited_s=waited_s + self.passage.waited_s,
            circuit=self.passage.circuit,
        )


@dataclass(frozen=True, slots=True)
class AttemptMaker:
    """Makes attempts at one host."""

    inner: httpx.BaseTransport
    admission: AdmissionControl
    policy: Policy

    def make(self, request: httpx.Request, ends_at_s: float) -> Attempt:
        """One attempt that is over by then."""
        call, method, clock = call_of(request), request.method, self.admission.clock
        what = f"{method} {call.path}"
        spare_s = ends_at_s - clock.monotonic_s() - self.policy.attempt_s_min
        if spare_s < 0:
            late = OutOfTime(f"{what}: too little time left")
            return Attempt(call, method, Decision(refused=late), failure=late)
        passage = self.admission.enter(what, spare_s, call.account_key)
        if passage.refused:
            return Attempt(call, method, passage, failure=passage.refused)
        started_at_s = clock.monotonic_s()
        response, failure = self._sent(request, what, ends_at_s)
        latency_s = clock.monotonic_s() - started_at_s
        self.admission.leave(passage, failure if isinstance(failure, TryLater) else None)
        return Attempt(call, method, passage, response, failure, latency_s)

    def _sent(
        self, request: httpx.Request, what: str, ends_at_s: float
    ) -> tuple[httpx.Response | None, ProviderError | None]:
        clock = self.admission.clock
        now_s = clock.monotonic_s()
        timeouts = self.policy.timeouts.within(ends_at_s - now_s)
        request.extensions["timeout"] = timeouts.as_extension()
        # Errors are returned, not raised: raised in here, ours would carry httpx's along.
        try:
            response = read_body(
                self.inner.handle_request(request),
                what,
                clock=clock,
                until_s=now_s + timeouts.body_by_s,
                bytes_max=self.policy.answer_bytes_max,
            )
        except httpx.HTTPError as error:
            return None, no_response_error(error, what)
        except ProviderError as error:
            return None, error
        failure = error_for(response, what, clock.now())
        if failure is None and request.method == "GET" and looks_truncated(response):
            failure = Garbled(f"{what}: cut short, or no JSON")
        return response, failure


# An answer is read to its end, within its size and time, or it is none.
_DROPPED_HEADERS = {
    # They describe the body as it travelled; what is handed on is decoded and whole.
    "content-encoding",
    "content-length",
    "transfer-encoding",
    # httpx.Client would send one person's cookies with the next person's call.
    "set-cookie",
}


def read_body(
    response: httpx.Response, what: str, *, clock: Clock, until_s: float, bytes_max: int
) -> httpx.Response:
    """The same answer with its body in memory; raises httpx's errors, and ours for too long or too much."""
    body = bytearray()
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) > bytes_max:
                raise ContractBroken(f"{what}: more than {bytes_max} bytes")
            # Each piece came in time, and still there may be no end of them.
            if clock.monotonic_s() > until_s:
                raise Unavailable(f"{what}: the body is too slow")
    finally:
        response.close()
    headers = [
        (name, value) for name, value in response.headers.multi_items() if name not in _DROPPED_HEADERS
    ]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body))


def looks_truncated(response: httpx.Response) -> bool:
    """Whether an answer to a GET is no whole JSON text; a glance, the client parses it anyway."""
    if response.status_code != 200:
        return False
    body = response.content.strip()
    return not (body.startswith((b"{", b"[", b"\xef\xbb\xbf")) and body.endswith((b"}", b"]")))
