"""
httpx transport that adds admission control, timeouts, retries and call records to another transport.

- A GET is retried after 408, 429, 5xx, 3xx, a timeout, a broken connection or a truncated body.
- Any other method is not retried. For example, a POST to a token endpoint consumes the refresh token, also
  if its response is lost. Such a call begins only with time for a whole attempt, and for storing its answer.
  Its outcome is kept in memory, and reaches the shared circuit breaker before the next call.
- The result is a complete response with a 2xx status or one of `Call.accepted`. Everything else is raised
  as a ProviderError.
- If the timeouts of a GET were cut to less than half, because its caller had little time, then a timeout says
  nothing about the host. The circuit breaker does not count it: such callers would stop the calls of others.
- Each attempt, sent or refused, becomes one CallRecord for the observer. This module logs nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
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
from bg_ingest.providers.http.policy import Policy, Timeouts
from bg_ingest.providers.http.send import (
    Call,
    CallRecord,
    call_of,
    error_for,
    ignore_record,
    parse_json_object,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.admission import AdmissionControl, Decision
    from bg_ingest.providers.http.send import Observe

_DROPPED_HEADERS = {
    # These describe the body as it was sent. The body that is returned is decoded and complete.
    "content-encoding",
    "content-length",
    "transfer-encoding",
    # httpx.Client would send the cookie of one account with the calls for another.
    "set-cookie",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of one attempt: a response, a failure, or a response that is a failure by its status."""

    decision: Decision
    response: httpx.Response | None = None
    failure: ProviderError | None = None
    latency_s: float = 0.0

    @property
    def retryable_failure(self) -> TryLater | None:
        """Retryable failure of the provider; None if the attempt was refused locally."""
        sent = self.decision.refusal is None
        return self.failure if sent and isinstance(self.failure, TryLater) else None

    def response_for(self, call: Call) -> httpx.Response:
        """The response that the caller gets; raises the failure if there is one."""
        response, failure = self.response, self.failure
        accepted = response is not None and response.status_code in call.accepted
        if failure and (isinstance(failure, TryLater) or not accepted):
            raise failure
        assert response is not None  # noqa: S101 - an attempt without a response has a failure.
        return response

    def record(self, call: Call, method: str, number: int, waited_s: float) -> CallRecord:
        """The record of this attempt, which began `waited_s` after the previous one."""
        response = self.response
        return CallRecord(
            operation=call.operation,
            method=method,
            path=call.path,
            attempt=number,
            sent=self.decision.refusal is None,
            status=response.status_code if response is not None else None,
            error=type(self.failure).__name__ if self.failure else None,
            latency_s=self.latency_s,
            size_bytes=len(response.content) if response is not None else 0,
            waited_s=waited_s + self.decision.waited_s,
            circuit=self.decision.circuit,
        )


class PoliteTransport(httpx.BaseTransport):
    """Transport for the calls to one host; thread-safe."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        admission: AdmissionControl,
        policy: Policy | None = None,
        *,
        observe: Observe = ignore_record,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._admission = admission
        self._clock = admission.clock
        self._policy = policy or Policy()
        self._observe = observe
        self._jitter = jitter

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call with all its attempts."""
        call = call_of(request)
        ends_at_s = self._clock.monotonic_s() + min(call.time_left_s(), self._policy.time_s_max)
        waited_s = 0.0
        for number in count(1):
            attempt = self._attempt(request, call, ends_at_s)
            self._observe(attempt.record(call, request.method, number, waited_s))
            wait_s = self._wait_before_retry_s(request, attempt, number, ends_at_s)
            if wait_s is None:
                break
            self._clock.sleep(wait_s)
            waited_s = wait_s
        return attempt.response_for(call)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _attempt(self, request: httpx.Request, call: Call, ends_at_s: float) -> Attempt:
        """Make one attempt that ends before `ends_at_s`, if it is admitted."""
        repeatable = request.method == "GET"
        decision = self._admission.admit(call, self._spare_s(call, ends_at_s, repeatable=repeatable))
        if decision.refusal is None and self._spare_s(call, ends_at_s, repeatable=repeatable) < 0:
            # Admission took longer than planned. The call of the quota is lost, and a probe has no outcome.
            decision = replace(decision, refusal=OutOfTime(f"{call.operation}: too little time left"))
        if decision.refusal:
            return Attempt(decision, failure=decision.refusal)
        started_at_s = self._clock.monotonic_s()
        timeouts = self._policy.timeouts
        if repeatable:
            timeouts = timeouts.within(ends_at_s - started_at_s)
        response, failure, timed_out = self._send(request, call.operation, timeouts)
        latency_s = self._clock.monotonic_s() - started_at_s
        if not (timed_out and timeouts.read_s < self._policy.timeouts.read_s / 2):
            retryable = failure if isinstance(failure, TryLater) else None
            self._admission.report(decision, retryable, prompt=repeatable)
        return Attempt(decision, response, failure, latency_s)

    def _spare_s(self, call: Call, ends_at_s: float, *, repeatable: bool) -> float:
        """How much later an attempt can begin; negative if it is too late for one."""
        left_s = ends_at_s - self._clock.monotonic_s()
        if repeatable:
            return left_s - self._policy.attempt_s_min
        whole_s = left_s - self._policy.timeouts.attempt_s_max
        return min(whole_s, call.time_left_s() - self._policy.single_s_min)

    def _send(
        self, request: httpx.Request, operation: str, timeouts: Timeouts
    ) -> tuple[httpx.Response | None, ProviderError | None, bool]:
        """Send the request, read the body and find the failure, if any, and whether it was a timeout."""
        request.extensions["timeout"] = timeouts.as_extension()
        body_by_s = self._clock.monotonic_s() + timeouts.body_by_s
        # Errors are returned and raised later. Raised here, they would be chained to an error of httpx.
        try:
            response = read_body(
                self._inner.handle_request(request),
                operation,
                clock=self._clock,
                until_s=body_by_s,
                bytes_max=self._policy.answer_bytes_max,
            )
        except httpx.HTTPError as error:
            kind = Garbled if isinstance(error, httpx.DecodingError) else Unavailable
            timed_out = isinstance(error, httpx.TimeoutException)
            return None, kind(f"{operation}: {type(error).__name__}"), timed_out
        except ProviderError as error:
            return None, error, isinstance(error, Unavailable)  # The body was too slow.
        failure = error_for(response, operation, self._clock.now())
        if failure is None and request.method == "GET":
            failure = truncation_error(response, operation)
        return response, failure, False

    def _wait_before_retry_s(
        self, request: httpx.Request, attempt: Attempt, number: int, ends_at_s: float
    ) -> float | None:
        """How long to wait before the next attempt; None if this was the last."""
        failure = attempt.retryable_failure
        if failure is None or request.method != "GET" or number >= self._policy.attempts_max:
            return None
        wait_s = self._policy.backoff.wait_s(number, self._jitter(), failure.retry_after_s)
        if wait_s is None:
            return None
        left_s = ends_at_s - self._clock.monotonic_s() - wait_s
        return wait_s if left_s >= self._policy.attempt_s_min else None


def read_body(
    response: httpx.Response, operation: str, *, clock: Clock, until_s: float, bytes_max: int
) -> httpx.Response:
    """The response with its complete body; raises if the body is too large or does not end in time."""
    body = bytearray()
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) > bytes_max:
                raise ContractBroken(f"{operation}: more than {bytes_max} bytes")
            # httpx limits the time between two pieces, not the time of the body.
            if clock.monotonic_s() > until_s:
                raise Unavailable(f"{operation}: the body is too slow")
    finally:
        response.close()
    headers = [
        (name, value) for name, value in response.headers.multi_items() if name not in _DROPPED_HEADERS
    ]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body))


def truncation_error(response: httpx.Response, operation: str) -> ProviderError | None:
    """
    The error of a 200 response whose body is not JSON; None if the body seems to be complete.

    Parsing every body twice would be expensive. Therefore only a body that does not begin and end like an
    object or array is parsed here, and gets the error that the caller's parser would raise.
    """
    body = response.content.strip()
    complete = body.startswith((b"{", b"[", b"\xef\xbb\xbf")) and body.endswith((b"}", b"]"))
    if response.status_code != 200 or complete:
        return None
    try:
        parse_json_object(response, operation)
    except ProviderError as error:
        return error
    return None
