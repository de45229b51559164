from __future__ import annotations

from contextlib import suppress

import httpx
import pytest

from bg_ingest.providers.errors import ContractBroken, TryLater, Unavailable
from bg_ingest.providers.http.call_record import Call
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.send import send
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.dexcom.made_up import PATH, SERVER_ERROR, TOKEN, Replies, get, ok, polite, throttled


def test_waits_as_long_as_dexcom_asks(clock: FakeClock) -> None:
    """A Retry-After wins over our own backoff."""
    replies = Replies(throttled("7"), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert (clock.naps, replies.calls) == ([7.0], 2)


def test_a_date_is_as_good_as_seconds(clock: FakeClock) -> None:
    """The other form of Retry-After."""
    replies = Replies(throttled("Sun, 26 Apr 2026 12:00:09 GMT"), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert clock.naps == [9.0]


def test_what_dexcom_asks_for_may_be_too_long_for_us(clock: FakeClock) -> None:
    """Then nobody sleeps: the caller hears of it and puts the work back."""
    replies = Replies(throttled("90"), ok())

    assert get(polite(clock, replies)).status_code == 429
    assert (clock.naps, replies.calls) == ([], 1)


def test_a_429_that_says_nothing_slows_us_down_all_the_same(clock: FakeClock) -> None:
    """Backoff, and then the rest of the pause."""
    replies = Replies(throttled(), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert clock.naps == pytest.approx([0.25, 1.75])


def test_backs_off_and_gives_up(clock: FakeClock) -> None:
    """Three attempts, with half of each limit between them here; the last answer is handed on."""
    replies = Replies(SERVER_ERROR)

    assert get(polite(clock, replies)).status_code == 500
    assert (replies.calls, clock.naps) == (3, [0.25, 0.5])


@pytest.mark.parametrize(
    "trouble",
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
def test_a_hiccup_is_not_noticed(clock: FakeClock, trouble: httpx.Response | Exception) -> None:
    """Whatever passes by itself costs one more call."""
    replies = Replies(trouble, ok())

    assert get(polite(clock, replies)).status_code == 200
    assert replies.calls == 2


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 418])
def test_an_answer_is_an_answer(clock: FakeClock, status: int) -> None:
    """Asking the same again would get the same."""
    replies = Replies(httpx.Response(status, content=b"{}"))

    assert get(polite(clock, replies)).status_code == status
    assert (replies.calls, clock.naps) == (1, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("trouble", [SERVER_ERROR, throttled("1"), httpx.ReadTimeout("timed out")], ids=repr)
def test_only_questions_are_repeated(
    clock: FakeClock, method: str, trouble: httpx.Response | Exception
) -> None:
    """What changes something may have changed it, even if the answer was lost."""
    replies = Replies(trouble, ok())

    with suppress(TryLater):
        send(polite(clock, replies), method, PATH, Call("refresh", PATH))
    assert (replies.calls, clock.naps) == (1, [])


def test_without_any_answer_the_error_is_ours(clock: FakeClock) -> None:
    """It names the class of what happened, and carries nothing of the request."""
    trouble = httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'")

    with pytest.raises(Unavailable) as caught:
        get(polite(clock, Replies(trouble)))

    assert str(caught.value) == f"GET {PATH}: LocalProtocolError"
    assert caught.value.__context__ is None


def test_an_answer_without_end_is_not_asked_for_again(clock: FakeClock) -> None:
    """It would be as large the next time; somebody has to look."""
    replies = Replies(httpx.Response(200, content=b"x" * 2000))

    with pytest.raises(ContractBroken):
        get(polite(clock, replies, Policy(answer_bytes_max=1000)))
    assert replies.calls == 1


def test_a_bug_is_not_taken_for_weather(clock: FakeClock) -> None:
    """Only what the network can do is retried."""
    replies = Replies(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        get(polite(clock, replies))
    assert replies.calls == 1


def test_the_clock_of_a_date_is_ours(clock: FakeClock) -> None:
    """A Retry-After that has passed when it arrives is no wait at all."""
    assert clock.now() == NOON
    replies = Replies(throttled("Sun, 26 Apr 2026 11:59:00 GMT"), ok())

    assert get(polite(clock, replies)).status_code == 200
    assert sum(clock.naps) == 0.0
