"""A fake provider: a function from request to response, and clients that call it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.send import Call, ignore_record, send
from bg_ingest.providers.http.transport import PoliteTransport
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.providers.http.admission import AdmissionControl
    from bg_ingest.providers.http.send import Observe

HOST = "https://provider.test"
TOKEN = "access-token-of-ada"
PATH = "/v3/users/self/egvs"
SERVER_ERROR = httpx.Response(500)


class Replies:
    """Answers each request with the next reply, and repeats the last one; keeps the requests."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self._replies = replies
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next reply."""
        reply = self._replies[min(len(self.requests), len(self._replies) - 1)]
        self.requests.append(request)
        if isinstance(reply, Exception):
            raise reply
        return unread(reply)

    @property
    def calls(self) -> int:
        """The number of requests."""
        return len(self.requests)


def unread(response: httpx.Response) -> httpx.Response:
    """A copy whose body has not been read."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def polite(
    clock: FakeClock,
    answer: Callable[[httpx.Request], httpx.Response],
    policy: Policy | None = None,
    *,
    admission: AdmissionControl | None = None,
    observe: Observe = ignore_record,
    jitter: float = 0.5,
) -> httpx.Client:
    """A client with the service's limits and retries."""
    transport = PoliteTransport(
        httpx.MockTransport(answer),
        admission or admission_control(clock),
        policy,
        observe=observe,
        jitter=lambda: jitter,
    )
    return httpx.Client(transport=transport, base_url=HOST)


def without_retries(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client that makes one attempt per call."""
    return polite(FakeClock(), answer, Policy(attempts_max=1))


def get(http: httpx.Client, time_left_s: Callable[[], float] = lambda: math.inf) -> httpx.Response:
    """One GET with a query string."""
    return send(http, "GET", Call("egvs", PATH, time_left_s), params={"startDate": "2026-04-25T12:00:00"})


def throttled(retry_after: str | None = None) -> httpx.Response:
    """A 429 with this Retry-After header."""
    return httpx.Response(429, headers={"retry-after": retry_after} if retry_after else {})


def ok(document: Any = None) -> httpx.Response:
    """A 200 with this document; by default one without records."""
    return httpx.Response(200, text=json.dumps({"records": []} if document is None else document))
