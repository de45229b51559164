"""A fake Dexcom as a function from request to response, and records it might send."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.providers.http.call_record import Call, ignore_record
from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.send import send
from bg_ingest.providers.http.transport import PoliteTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.providers.http.admission import AdmissionControl
    from bg_ingest.providers.http.call_record import Observe
    from bg_ingest.providers.http.policy import Policy
    from tests.support.fakes import FakeClock

HOST = "https://dexcom.test"
TOKEN = "access-token-of-ada"
PATH = "/v3/users/self/egvs"
SERVER_ERROR = httpx.Response(500)


class Replies:
    """Answers every request with the next reply, the last one for ever; keeps what it was asked."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self._replies = replies
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next reply."""
        reply = self._replies[min(len(self.asked), len(self._replies) - 1)]
        self.asked.append(request)
        if isinstance(reply, Exception):
            raise reply
        return afresh(reply)

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return len(self.asked)


def afresh(response: httpx.Response) -> httpx.Response:
    """The same answer, unread."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def plain(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client that asks once."""
    return httpx.Client(transport=httpx.MockTransport(answer), base_url=HOST)


def polite(
    clock: FakeClock,
    answer: Callable[[httpx.Request], httpx.Response],
    policy: Policy | None = None,
    *,
    admission: AdmissionControl | None = None,
    observe: Observe = ignore_record,
    jitter: float = 0.5,
) -> httpx.Client:
    """A client that asks as the service does."""
    transport = PoliteTransport(
        httpx.MockTransport(answer),
        admission or admission_control(clock),
        policy,
        observe=observe,
        jitter=lambda: jitter,
    )
    return httpx.Client(transport=transport, base_url=HOST)


def get(http: httpx.Client, time_left_s: Callable[[], float] = lambda: math.inf) -> httpx.Response:
    """One question with a query that nobody should see again."""
    return send(
        http, "GET", PATH, Call("egvs", PATH, time_left_s), params={"startDate": "2026-04-25T12:00:00"}
    )


def throttled(retry_after: str | None = None) -> httpx.Response:
    """A 429 that asks for so much."""
    return httpx.Response(429, headers={"retry-after": retry_after} if retry_after else {})


def ok(document: Any = None) -> httpx.Response:
    """What everybody hopes for."""
    return httpx.Response(200, text=json.dumps({"records": []} if document is None else document))


def a_record(**members: Any) -> dict[str, Any]:
    """A record as the documentation shows it; `members` say what differs."""
    return {
        "recordId": "2cab70ee-d3b4-5a34-9aa9-767513ab72bd",
        "systemTime": "2026-02-06T09:12:35Z",
        "displayTime": "2026-02-06T01:12:35-08:00",
        "transmitterId": "5c8d" * 16,
        "transmitterTicks": 85273,
        "value": 120,
        "status": None,
        "trend": "flat",
        "trendRate": 0.3,
        "unit": "mg/dL",
        "rateUnit": "mg/dL/min",
        "displayDevice": "iOS",
        "transmitterGeneration": "g7",
        "transmitterGenerationVariant": "g7",
        "displayApp": "G7",
        **members,
    }


def without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same record, as if Dexcom had left those members out."""
    return {name: value for name, value in record.items() if name not in names}
