from __future__ import annotations

import gzip
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.errors import (
    CircuitOpen,
    ContractBroken,
    Crowded,
    Garbled,
    OutOfTime,
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.http.admission import ProcessBreaker, RateLimiter, RateRules
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.send import Call, CallRecord, parse_json_object, send
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.http.fake_provider import (
    PATH,
    SERVER_ERROR,
    TOKEN,
    Replies,
    get,
    ok,
    polite,
    throttled,
    unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# Retries.


def test_retry_waits_as_long_as_retry_after_says(clock: FakeClock) -> None:
    """Retry-After replaces the backoff."""
    replies = Replies(throttled("7"), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert (clock.naps, replies.calls) == ([7.0], 2)


def test_retry_after_can_be_a_date(clock: FakeClock) -> None:
    """A date in Retry-After is compared with this process's clock."""
    replies = Replies(throttled("Sun, 26 Apr 2026 12:00:09 GMT"), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert clock.naps == [9.0]


def test_retry_after_in_the_past_needs_no_wait(clock: FakeClock) -> None:
    """A date in Retry-After that has already passed causes a retry without a wait."""
    assert clock.now() == NOON
    replies = Replies(throttled("Sun, 26 Apr 2026 11:59:00 GMT"), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert sum(clock.naps) == 0.0


def test_long_retry_after_fails_at_once(clock: FakeClock) -> None:
    """A Retry-After above the limit raises Throttled at once, so that the job goes back to the queue."""
    replies = Replies(throttled("90"), ok())

    with pytest.raises(Throttled) as caught:
        get(polite(clock, replies))
    assert (caught.value.retry_after_s, clock.naps, replies.calls) == (90.0, [], 1)


def test_429_without_retry_after_pauses_the_rate_limiter(clock: FakeClock) -> None:
    """After a 429 without Retry-After the retry waits for the backoff and for the rest of the pause."""
    replies = Replies(throttled(), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert clock.naps == pytest.approx([0.25, 1.75])


def test_last_attempt_raises(clock: FakeClock) -> None:
    """After three attempts with backoff between them the failure is raised."""
    replies = Replies(SERVER_ERROR)

    with pytest.raises(Unavailable, match="egvs: 500"):
        get(polite(clock, replies))
    assert (replies.calls, clock.naps) == (3, [0.25, 0.5])


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(408),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
        httpx.Response(302, headers={"location": "/maintenance"}),
        httpx.Response(200, content=b'{"records": [{"val'),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"<html>Maintenance</html>"),
        httpx.ConnectTimeout("timed out"),
        httpx.ReadTimeout("timed out"),
        httpx.PoolTimeout("timed out"),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("peer closed connection"),
        httpx.DecodingError("not gzip"),
    ],
    ids=repr,
)
def test_transient_failure_is_retried(clock: FakeClock, failure: httpx.Response | Exception) -> None:
    """A GET is repeated after a failure that can pass without a change of the request."""
    replies = Replies(failure, ok())

    assert get(polite(clock, replies)).status_code == 200
    assert replies.calls == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("failure", [SERVER_ERROR, throttled("1"), httpx.ReadTimeout("timed out")], ids=repr)
def test_only_get_is_retried(clock: FakeClock, method: str, failure: httpx.Response | Exception) -> None:
    """Other methods may have changed something at the provider, so they are not repeated."""
    replies = Replies(failure, ok())

    with pytest.raises(TryLater):
        send(polite(clock, replies), method, Call("refresh", PATH))
    assert (replies.calls, clock.naps) == (1, [])


def test_programming_error_is_not_retried(clock: FakeClock) -> None:
    """An exception that is not an HTTP error is raised unchanged after one attempt."""
    replies = Replies(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        get(polite(clock, replies))
    assert replies.calls == 1


# What the caller gets.


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_returned(clock: FakeClock, status: int) -> None:
    """A response with a 2xx status is returned after one attempt."""
    replies = Replies(httpx.Response(status, content=b"{}"))

    assert get(polite(clock, replies)).status_code == status
    assert (replies.calls, clock.naps) == (1, [])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (401, TokenRejected),
        (403, TokenRejected),
        (404, RequestRefused),
        (418, RequestRefused),
    ],
)
def test_rejection_is_raised_without_retry(clock: FakeClock, status: int, kind: type[ProviderError]) -> None:
    """A 4xx is raised after one attempt, because the same request would be rejected again."""
    replies = Replies(httpx.Response(status, content=b"{}"))

    with pytest.raises(kind, match=f"egvs: {status}"):
        get(polite(clock, replies))
    assert (replies.calls, clock.naps) == (1, [])


def test_accepted_rejection_is_returned(clock: FakeClock) -> None:
    """A 4xx that the call accepts is returned; 408, 429 and other failures are raised all the same."""
    call = Call("refresh", PATH, accepted=range(400, 600))

    assert send(polite(clock, Replies(httpx.Response(404))), "POST", call).status_code == 404
    for status in (408, 429, 500):
        with pytest.raises(TryLater):
            send(polite(clock, Replies(httpx.Response(status))), "POST", call)


@pytest.mark.parametrize(
    ("body", "kind", "calls"),
    [
        (b"", Garbled, 3),
        (b"<html></html>", Garbled, 3),
        (b'{"records": [{"va', Garbled, 3),
        (b"Service }", Garbled, 3),
        (b"\xff\xfe", Garbled, 3),
        (b"null", ContractBroken, 1),
        (b"7", ContractBroken, 1),
        (b'"records"', ContractBroken, 1),
    ],
)
def test_unusable_body_raises_the_error_of_the_parser(
    clock: FakeClock, body: bytes, kind: type[ProviderError], calls: int
) -> None:
    """A 200 without a complete JSON object raises the error of the parser; only Garbled is retried."""
    response = httpx.Response(200, content=body)
    with pytest.raises(kind) as parsed:
        parse_json_object(response, "egvs")
    replies = Replies(response)

    with pytest.raises(kind) as caught:
        get(polite(clock, replies))
    assert (str(caught.value), caught.value.__context__) == (str(parsed.value), None)
    assert replies.calls == calls


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, content=b' {"records": []} \n'),
        httpx.Response(200, content=b" [] \n"),
        httpx.Response(200, content=b'\xef\xbb\xbf{"records": []}'),
        httpx.Response(204),
    ],
    ids=lambda reply: repr(reply.content),
)
def test_complete_body_is_returned(clock: FakeClock, reply: httpx.Response) -> None:
    """Space, a byte order mark, an array or an empty 204 are not treated as a truncated body."""
    replies = Replies(reply)

    assert get(polite(clock, replies)).content == reply.content
    assert replies.calls == 1


def test_error_without_response_contains_no_request(clock: FakeClock) -> None:
    """The error names the class of httpx's error; it has no text of httpx and is not chained to it."""
    replies = Replies(httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'"))

    with pytest.raises(Unavailable) as caught:
        get(polite(clock, replies))
    assert str(caught.value) == "egvs: LocalProtocolError"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("timed out"), Unavailable),
        (httpx.ConnectError("refused"), Unavailable),
        (httpx.RemoteProtocolError("peer closed connection"), Unavailable),
        (httpx.DecodingError("not gzip"), Garbled),
    ],
)
def test_http_error_becomes_a_provider_error(
    clock: FakeClock, error: Exception, kind: type[ProviderError]
) -> None:
    """A body that cannot be decoded is Garbled; any other error of httpx is Unavailable."""
    with pytest.raises(kind, match=f"egvs: {type(error).__name__}"):
        get(polite(clock, Replies(error)))


# Reading the body.


class Trickle(httpx.SyncByteStream):
    """A body of many pieces, with a pause before each."""

    def __init__(self, clock: FakeClock, pieces: int, pause_s: float, piece: bytes = b"x" * 100) -> None:
        self._clock, self._pieces, self._pause_s, self._piece = clock, pieces, pause_s, piece
        self.sent = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        """The pieces."""
        for _ in range(self._pieces):
            self._clock.advance(self._pause_s)
            self.sent += 1
            yield self._piece

    def close(self) -> None:
        """Close the connection."""
        self.closed = True


def post(clock: FakeClock, response: httpx.Response, policy: Policy | None = None) -> httpx.Response:
    """One attempt that gets this response, without the check for JSON."""
    return send(polite(clock, lambda _: response, policy), "POST", Call("egvs", PATH))


def test_body_is_read_completely(clock: FakeClock) -> None:
    """The response that is returned has its whole body, and the connection is closed."""
    stream = Trickle(clock, pieces=3, pause_s=1.0)

    response = post(clock, httpx.Response(200, headers={"x-request": "7"}, stream=stream))

    assert (response.content, response.headers["x-request"]) == (b"x" * 300, "7")
    assert stream.closed


def test_endless_body_is_cut_off(clock: FakeClock) -> None:
    """A body whose pieces arrive in time is cut off when its total time exceeds the limit."""
    stream = Trickle(clock, pieces=1_000_000, pause_s=3.0)

    with pytest.raises(Unavailable, match="too slow"):
        post(clock, httpx.Response(200, stream=stream))
    assert (stream.sent, stream.closed) == (10, True)


def test_large_body_is_cut_off_and_not_retried(clock: FakeClock) -> None:
    """A body above the limit raises ContractBroken at once, because it would be as large the next time."""
    stream = Trickle(clock, pieces=1_000_000, pause_s=0.0)

    with pytest.raises(ContractBroken, match="more than 1000 bytes"):
        post(clock, httpx.Response(200, stream=stream), Policy(answer_bytes_max=1000))
    assert (stream.sent, stream.closed) == (11, True)

    replies = Replies(httpx.Response(200, content=b"x" * 2000))
    with pytest.raises(ContractBroken):
        get(polite(clock, replies, Policy(answer_bytes_max=1000)))
    assert replies.calls == 1


def test_size_limit_counts_decompressed_bytes(clock: FakeClock) -> None:
    """A small compressed body that decompresses to a large one is rejected."""
    packed = httpx.ByteStream(gzip.compress(bytes(1_000_000)))

    with pytest.raises(ContractBroken):
        post(
            clock,
            httpx.Response(200, headers={"content-encoding": "gzip"}, stream=packed),
            Policy(answer_bytes_max=10_000),
        )


def test_returned_body_is_decompressed(clock: FakeClock) -> None:
    """The returned body is decompressed, and its headers do not say that it is compressed."""
    packed = httpx.ByteStream(gzip.compress(b'{"records": []}'))

    response = post(clock, httpx.Response(200, headers={"content-encoding": "gzip"}, stream=packed))

    assert response.json() == {"records": []}
    assert "content-encoding" not in response.headers


def test_cookies_are_dropped(clock: FakeClock) -> None:
    """Many accounts share one client, which would send the cookie of one account with the next call."""
    response = post(clock, httpx.Response(200, headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")]))

    assert "set-cookie" not in response.headers


# Time limits.


def test_no_attempt_without_enough_time(clock: FakeClock) -> None:
    """A call with less time than an attempt needs is refused, and the provider is not called."""
    replies = Replies(ok())

    with pytest.raises(OutOfTime):
        get(polite(clock, replies), time_left_s=lambda: 4.9)
    assert replies.calls == 0


def test_no_retry_if_the_wait_leaves_no_time(clock: FakeClock) -> None:
    """If too little time would be left after the wait, then the failure is raised without waiting."""
    replies = Replies(throttled("9"), ok())

    with pytest.raises(Throttled):
        get(polite(clock, replies), time_left_s=lambda: 13.0)
    assert clock.naps == []


def test_timeouts_fit_into_the_time_left(clock: FakeClock) -> None:
    """The timeouts of an attempt are shortened so that their sum is the time left."""
    replies = Replies(ok())

    get(polite(clock, replies), time_left_s=lambda: 21.0)

    assert replies.requests[0].extensions["timeout"] == {
        "pool": 1.5,
        "connect": 1.5,
        "write": 1.5,
        "read": 7.5,
    }


@dataclass
class SlowProvider:
    """Takes time before each response, up to the timeouts of the request."""

    clock: FakeClock
    plan: list[tuple[float, httpx.Response]]
    calls: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next response, or a timeout."""
        takes_s, response = self.plan[self.calls % len(self.plan)]
        self.calls += 1
        steps = request.extensions["timeout"]
        timeout_s = steps["pool"] + 2 * steps["connect"] + steps["write"] + 2 * steps["read"]
        self.clock.advance(min(takes_s, timeout_s))
        if takes_s >= timeout_s:
            raise httpx.ReadTimeout("timed out")
        return unread(response)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 100.0), st.sampled_from([ok(), SERVER_ERROR, throttled(), throttled("6")])),
        min_size=1,
        max_size=6,
    ),
    st.floats(0.0, 200.0),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_call_ends_within_the_caller_time(
    plan: list[tuple[float, httpx.Response]], time_left_s: float, jitter: float
) -> None:
    """For any provider, a call ends within the caller's time and makes at most three attempts."""
    clock = FakeClock()
    provider = SlowProvider(clock, plan)

    with suppress(ProviderError):
        get(polite(clock, provider, jitter=jitter), time_left_s=lambda: time_left_s)

    assert clock.monotonic_s() <= min(time_left_s, Policy().time_s_max) + 1e-6
    assert provider.calls <= 3


# Circuit breaker.


def with_breaker(clock: FakeClock, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client whose circuit opens after four failures."""
    rules = CircuitRules(calls_min=4, recovery=timedelta(seconds=30))
    return polite(clock, answer, admission=admission_control(clock, breaker=ProcessBreaker(clock, rules)))


def test_outage_opens_the_circuit(clock: FakeClock) -> None:
    """After four failed attempts calls are refused, and one probe is made after the recovery time."""
    replies = Replies(SERVER_ERROR)
    http = with_breaker(clock, replies)
    with pytest.raises(Unavailable):
        get(http)
    with pytest.raises(CircuitOpen) as caught:
        get(http)
    with pytest.raises(CircuitOpen):
        get(http)

    assert replies.calls == 4
    assert caught.value.retry_after_s == 29.75  # A quarter of a second after the fourth attempt.
    clock.advance(30.0)
    with pytest.raises(CircuitOpen):
        get(http)
    assert replies.calls == 5


@pytest.mark.parametrize(("time_left_s", "opened"), [(6.0, False), (60.0, True)])
def test_only_timeouts_of_patient_callers_open_the_circuit(
    clock: FakeClock, time_left_s: float, *, opened: bool
) -> None:
    """A host that needs 10 s looks dead to logins, which wait 3 s; polls of all users continue."""

    def slow(request: httpx.Request) -> httpx.Response:
        read_s: float = request.extensions["timeout"]["read"]
        clock.advance(read_s)
        raise httpx.ReadTimeout("timed out")

    http = with_breaker(clock, slow)
    for _ in range(6):
        with suppress(TryLater):
            get(http, time_left_s=lambda: time_left_s)

    with pytest.raises(CircuitOpen if opened else Unavailable):
        get(http, time_left_s=lambda: time_left_s)


def test_successful_probe_ends_the_outage(clock: FakeClock) -> None:
    """After a successful probe all calls are made again."""
    http = with_breaker(clock, Replies(*[SERVER_ERROR] * 4, ok()))
    for _ in range(2):
        with pytest.raises(TryLater):
            get(http)
    clock.advance(30.0)

    assert [get(http).status_code for _ in range(3)] == [200] * 3


def test_rejected_tokens_do_not_open_the_circuit(clock: FakeClock) -> None:
    """A 401 is not a failure of the host, so many of them do not open the circuit."""
    replies = Replies(httpx.Response(401))
    http = with_breaker(clock, replies)

    for _ in range(90):
        with pytest.raises(TokenRejected):
            get(http)
    assert replies.calls == 90


# Call records.


def test_each_attempt_has_a_record(clock: FakeClock) -> None:
    """Each attempt has one record with its numbers, whose path has no query string."""
    seen: list[CallRecord] = []

    def provider(_: httpx.Request) -> httpx.Response:
        clock.advance(0.5)
        if not seen:
            raise httpx.ConnectError("refused")
        if len(seen) == 1:
            return httpx.Response(503, content=b"down")
        return ok({"records": []})

    get(polite(clock, provider, observe=seen.append))

    first = CallRecord(
        "egvs", "GET", PATH, attempt=1, sent=True, error="Unavailable", latency_s=0.5, circuit="closed"
    )
    assert seen == [
        first,
        replace(first, attempt=2, status=503, size_bytes=4, waited_s=0.25),
        replace(first, attempt=3, status=200, error=None, size_bytes=15, waited_s=0.5),
    ]


def test_record_of_a_truncated_body_has_status_and_error(clock: FakeClock) -> None:
    """The record of a truncated 200 has the status, the size and the error Garbled."""
    seen: list[CallRecord] = []
    with pytest.raises(Garbled):
        get(polite(clock, Replies(httpx.Response(200, content=b"{")), observe=seen.append))

    assert [(one.status, one.size_bytes, one.error) for one in seen] == [(200, 1, "Garbled")] * 3


def test_refused_attempt_has_a_record(clock: FakeClock) -> None:
    """The record of an attempt that was refused locally says that it was not sent."""
    seen: list[CallRecord] = []
    http = polite(clock, Replies(ok()), observe=seen.append)

    with pytest.raises(OutOfTime):
        get(http, time_left_s=lambda: 0.0)

    assert seen == [CallRecord("egvs", "GET", PATH, attempt=1, sent=False, error="OutOfTime")]


def test_record_contains_the_wait_for_the_rate_limiter(clock: FakeClock) -> None:
    """The wait for the rate limiter is part of `waited_s`."""
    seen: list[CallRecord] = []
    limiter = RateLimiter(clock, RateRules(calls_max=1, period_s=3.0))
    admission = admission_control(clock, rate_limiter=limiter)
    http = polite(clock, Replies(ok()), admission=admission, observe=seen.append)
    get(http)
    get(http)

    assert [one.waited_s for one in seen] == [0.0, 3.0]


def test_refused_attempt_is_not_retried(clock: FakeClock) -> None:
    """A call that the rate limiter refuses fails at once, so that the job goes back to the queue."""
    seen: list[CallRecord] = []
    limiter = RateLimiter(clock, RateRules(calls_max=1, period_s=6.0))
    admission = admission_control(clock, rate_limiter=limiter)
    http = polite(clock, Replies(ok()), admission=admission, observe=seen.append)
    get(http)
    with pytest.raises(Crowded):
        get(http)

    assert [one.error for one in seen] == [None, "Crowded"]
    assert clock.naps == []


def test_request_made_without_send_is_recorded_as_other(clock: FakeClock) -> None:
    """A request that another caller makes with the client is retried and recorded as well."""
    seen: list[CallRecord] = []
    replies = Replies(SERVER_ERROR, ok())

    assert polite(clock, replies, observe=seen.append).get(PATH, params={"secret": "7"}).status_code == 200
    assert [(one.operation, one.path) for one in seen] == [("other", PATH)] * 2
