from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.http.client_metrics import ClientMetrics
from bg_ingest.providers.http.http_client import polite_http
from tests.unit.providers.http.fake_provider import HOST, Replies, ok

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock


def test_url_and_clock_are_enough(clock: FakeClock) -> None:
    """Rate limit, circuit breaker and retries have defaults."""
    replies = Replies(httpx.Response(503), ok())

    http = polite_http(HOST, clock, inner=httpx.MockTransport(replies))

    assert http.get("/v3/users/self/egvs").status_code == 200
    assert [request.url.host for request in replies.requests] == ["provider.test"] * 2
    assert replies.requests[0].headers["accept"] == "application/json"


def test_base_url_can_have_a_path(clock: FakeClock) -> None:
    """The path of a base URL, such as a proxy's, precedes the path of each request."""
    replies = Replies(ok())
    polite_http("https://proxy.test/cgm/", clock, inner=httpx.MockTransport(replies)).get("/v3/x")

    assert str(replies.requests[0].url) == "https://proxy.test/cgm/v3/x"


def test_cookies_are_not_sent(clock: FakeClock) -> None:
    """A cookie in a response is not sent with the next request, which may be for another account."""
    replies = Replies(httpx.Response(200, content=b"{}", headers={"set-cookie": "session=ada; Path=/"}))
    http = polite_http(HOST, clock, inner=httpx.MockTransport(replies))
    http.get("/v3/x")
    http.get("/v3/x")

    assert "cookie" not in replies.requests[1].headers


def test_threads_can_share_one_client(clock: FakeClock) -> None:
    """Concurrent callers of one client each get the response to their own request."""
    metrics = ClientMetrics()

    def provider(request: httpx.Request) -> httpx.Response:
        return ok({"asked": request.url.params["number"]})

    def ask(number: int) -> bool:
        return bool(http.get("/v3/x", params={"number": number}).json() == {"asked": str(number)})

    with (
        polite_http(HOST, clock, observe=metrics.observe, inner=httpx.MockTransport(provider)) as http,
        ThreadPoolExecutor(8) as threads,
    ):
        assert all(threads.map(ask, range(100)))
    assert metrics.snapshot().succeeded == 100


def test_close_closes_the_connections(clock: FakeClock) -> None:
    """Closing the client closes the inner transport."""
    closed: list[bool] = []

    class Inner(httpx.MockTransport):
        """Records that it was closed."""

        def close(self) -> None:
            """Close."""
            closed.append(True)

    with polite_http(HOST, clock, inner=Inner(Replies(ok()))):
        pass

    assert closed == [True]
