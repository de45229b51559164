from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.oauth import Application, OAuth
from bg_ingest.providers.errors import OutOfTime
from bg_ingest.providers.http.client_metrics import ClientMetrics
from bg_ingest.providers.http.http_client import polite_http
from tests.unit.providers.dexcom.made_up import TOKEN, Replies, ok

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock


def test_a_region_and_a_clock_are_enough(clock: FakeClock) -> None:
    """Everything else has a default: our pace, a breaker, retries."""
    replies = Replies(httpx.Response(503), ok())

    http = polite_http("eu", clock, inner=httpx.MockTransport(replies))

    assert http.get("/v3/users/self/egvs").status_code == 200
    assert [request.url.host for request in replies.asked] == ["api.dexcom.eu"] * 2
    assert replies.asked[0].headers["accept"] == "application/json"


def test_a_base_url_with_a_path(clock: FakeClock) -> None:
    """A proxy may stand in front of Dexcom."""
    replies = Replies(ok())
    polite_http("https://proxy.test/dexcom/", clock, inner=httpx.MockTransport(replies)).get("/v3/x")

    assert str(replies.asked[0].url) == "https://proxy.test/dexcom/v3/x"


def test_people_share_no_cookies(clock: FakeClock) -> None:
    """What one answer wants remembered is not sent with the next person's call."""
    replies = Replies(httpx.Response(200, content=b"{}", headers={"set-cookie": "session=ada; Path=/"}))
    http = polite_http("us", clock, inner=httpx.MockTransport(replies))
    http.get("/v3/x")
    http.get("/v3/x")

    assert "cookie" not in replies.asked[1].headers


def test_threads_may_share_it(clock: FakeClock) -> None:
    """One client for all threads of a process; each gets the answer to its own question."""
    metrics = ClientMetrics()

    def dexcom(request: httpx.Request) -> httpx.Response:
        return ok({"asked": request.url.params["number"]})

    def ask(number: int) -> bool:
        return bool(http.get("/v3/x", params={"number": number}).json() == {"asked": str(number)})

    with (
        polite_http("us", clock, observe=metrics.observe, inner=httpx.MockTransport(dexcom)) as http,
        ThreadPoolExecutor(8) as threads,
    ):
        assert all(threads.map(ask, range(100)))
    assert metrics.snapshot().succeeded == 100


def test_everything_that_asks_keeps_to_the_time_of_its_caller(clock: FakeClock) -> None:
    """Data, subscriptions and tokens alike."""
    replies = Replies(ok())
    http = polite_http("us", clock, inner=httpx.MockTransport(replies))
    dexcom = DexcomClient(http, clock, time_left_s=lambda: 1.0, subscriptions_path="/v3/subscriptions")
    oauth = OAuth(http, Application("client", "secret", "https://service.test"), clock, lambda: 1.0)

    for ask in (
        dexcom.devices,
        dexcom.data_range,
        dexcom.subscriptions.listed,
        oauth.refresh,
        oauth.exchange,
    ):
        with pytest.raises(OutOfTime):
            ask(TOKEN)
    assert replies.calls == 0


def test_closing_it_closes_the_connections(clock: FakeClock) -> None:
    """The inner transport is told."""
    closed: list[bool] = []

    class Inner(httpx.MockTransport):
        """Remembers having been closed."""

        def close(self) -> None:
            """Once."""
            closed.append(True)

    with polite_http("us", clock, inner=Inner(Replies(ok()))):
        pass

    assert closed == [True]
