"""One attempt at a call: through the turnstile, onto the network, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from bg_ingest.dexcom.asking import unanswered
from bg_ingest.dexcom.errors import DexcomError, Garbled, OutOfTime, TryLater
from bg_ingest.dexcom.exchange import Call, Exchange, call_of
from bg_ingest.dexcom.refusals import refusal
from bg_ingest.dexcom.turnstile import Passage
from bg_ingest.dexcom.whole_answer import looks_cut, whole

if TYPE_CHECKING:
    from bg_ingest.dexcom.policy import Policy
    from bg_ingest.dexcom.turnstile import Turnstile


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to: an answer, a failure, or an answer that is one."""

    call: Call
    method: str
    passage: Passage
    response: httpx.Response | None = None
    failure: DexcomError | None = None
    latency_s: float = 0.0

    @property
    def hiccup(self) -> TryLater | None:
        """Dexcom's own failure, which may have passed the next time; who was not let through is not asked."""
        sent = self.passage.refused is None
        return self.failure if sent and isinstance(self.failure, TryLater) else None

    def exchange(self, attempt: int, waited_s: float) -> Exchange:
        """The record of it, `waited_s` after the attempt before."""
        response = self.response
        return Exchange(
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
class Attempts:
    """Makes attempts at one host."""

    inner: httpx.BaseTransport
    turnstile: Turnstile
    policy: Policy

    def make(self, request: httpx.Request, ends_at_s: float) -> Outcome:
        """One attempt that is over by then."""
        call, method, clock = call_of(request), request.method, self.turnstile.clock
        what = f"{method} {call.path}"
        spare_s = ends_at_s - clock.monotonic_s() - self.policy.attempt_s_min
        if spare_s < 0:
            late = OutOfTime(f"{what}: too little time left")
            return Outcome(call, method, Passage(refused=late), failure=late)
        passage = self.turnstile.enter(what, spare_s, call.whose)
        if passage.refused:
            return Outcome(call, method, passage, failure=passage.refused)
        started_at_s = clock.monotonic_s()
        response, failure = self._sent(request, what, ends_at_s)
        latency_s = clock.monotonic_s() - started_at_s
        self.turnstile.leave(passage, failure if isinstance(failure, TryLater) else None)
        return Outcome(call, method, passage, response, failure, latency_s)

    def _sent(
        self, request: httpx.Request, what: str, ends_at_s: float
    ) -> tuple[httpx.Response | None, DexcomError | None]:
        clock = self.turnstile.clock
        now_s = clock.monotonic_s()
        timeouts = self.policy.timeouts.within(ends_at_s - now_s)
        request.extensions["timeout"] = timeouts.as_extension()
        # Errors are returned, not raised: raised in here, ours would carry httpx's along.
        try:
            response = whole(
                self.inner.handle_request(request),
                what,
                clock=clock,
                until_s=now_s + timeouts.body_by_s,
                bytes_max=self.policy.answer_bytes_max,
            )
        except httpx.HTTPError as error:
            return None, unanswered(error, what)
        except DexcomError as error:
            return None, error
        failure = refusal(response, what, clock.now())
        if failure is None and request.method == "GET" and looks_cut(response):
            failure = Garbled(f"{what}: cut short, or no JSON")
        return response, failure
