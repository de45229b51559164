from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.providers.errors import ContractBroken, Unavailable
from bg_ingest.providers.http.transport import looks_truncated, read_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fakes import FakeClock


class Trickle(httpx.SyncByteStream):
    """A body that takes its time over every piece."""

    def __init__(self, clock: FakeClock, pieces: int, pause_s: float) -> None:
        self._clock, self._pieces, self._pause_s = clock, pieces, pause_s
        self.sent = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Piece by piece."""
        for _ in range(self._pieces):
            self._clock.advance(self._pause_s)
            self.sent += 1
            yield b"x" * 100

    def close(self) -> None:
        """No more of it."""
        self.closed = True


def read(response: httpx.Response, clock: FakeClock, bytes_max: int = 10_000) -> httpx.Response:
    """Ten seconds for it all."""
    return read_body(response, "egvs", clock=clock, until_s=10.0, bytes_max=bytes_max)


def test_a_body_in_pieces_becomes_one(clock: FakeClock) -> None:
    """The answer that is handed on needs no network any more."""
    stream = Trickle(clock, pieces=3, pause_s=1.0)

    answer = read(httpx.Response(200, headers={"x-request": "7"}, stream=stream), clock)

    assert (answer.content, answer.headers["x-request"]) == (b"x" * 300, "7")
    assert stream.closed


def test_a_body_that_never_ends_is_left(clock: FakeClock) -> None:
    """Every piece came in time, the whole did not."""
    stream = Trickle(clock, pieces=1_000_000, pause_s=3.0)

    with pytest.raises(Unavailable, match="too slow"):
        read(httpx.Response(200, stream=stream), clock)
    assert (stream.sent, stream.closed) == (4, True)


def test_a_body_that_is_too_large_is_left(clock: FakeClock) -> None:
    """Nothing of Dexcom's is that large, and memory has an end."""
    stream = Trickle(clock, pieces=1_000_000, pause_s=0.0)

    with pytest.raises(ContractBroken, match="more than 1000 bytes"):
        read(httpx.Response(200, stream=stream), clock, bytes_max=1000)
    assert (stream.sent, stream.closed) == (11, True)


def test_the_limit_is_for_what_comes_out_of_compression(clock: FakeClock) -> None:
    """A megabyte of zeros fits into a kilobyte."""
    packed = httpx.ByteStream(gzip.compress(bytes(1_000_000)))

    with pytest.raises(ContractBroken):
        read(httpx.Response(200, headers={"content-encoding": "gzip"}, stream=packed), clock)


def test_what_was_packed_is_handed_on_unpacked(clock: FakeClock) -> None:
    """And says so: nobody unpacks it twice."""
    packed = httpx.ByteStream(gzip.compress(b'{"records": []}'))

    answer = read(httpx.Response(200, headers={"content-encoding": "gzip"}, stream=packed), clock)

    assert answer.json() == {"records": []}
    assert "content-encoding" not in answer.headers


def test_cookies_stay_outside(clock: FakeClock) -> None:
    """One client serves many people, and would send the cookie of one with the call of the next."""
    answer = read(httpx.Response(200, headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")]), clock)

    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("status", "body", "cut"),
    [
        (200, b'{"records": []}', False),
        (200, b" [] \n", False),
        (200, b'\xef\xbb\xbf{"records": []}', False),
        (200, b"", True),
        (200, b'{"records": [{"va', True),
        (200, b"<html></html>", True),
        (200, b"Service }", True),
        (204, b"", False),
        (503, b"<html></html>", False),
    ],
)
def test_a_glance_tells_whether_it_is_json(status: int, body: bytes, cut: bool) -> None:  # noqa: FBT001 - a table of cases.
    """Only of an answer that should be."""
    assert looks_truncated(httpx.Response(status, content=body)) is cut
