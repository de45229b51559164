import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync.pushed_records import PayloadUnreadable, pack, parse_body, unpack

KIB_256 = 256 * 1024


def body_of(length: int) -> bytes:
    """A good body of that many bytes."""
    frame = b'{"data": {"x": "%s"}}'
    return frame % (b"y" * (length - len(frame % b"")))


@given(st.lists(st.text() | st.integers() | st.floats(allow_nan=False)))
def test_what_is_packed_comes_out(records: list[object]) -> None:
    """Whatever the records are, and as plain ASCII in between."""
    packed = pack(json.dumps({"data": {"records": records}}).encode())

    assert packed.isascii()
    assert unpack(packed) == {"records": records}


def test_the_longest_body_comes_out_whole() -> None:
    """To its last byte."""
    body = body_of(KIB_256)

    assert len(body) == KIB_256
    assert unpack(pack(body)) == json.loads(body)["data"]


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "not base64",
        base64.b64encode(b"not compressed").decode(),
        pack(b"no JSON"),
        pack(b"[]"),
        pack(b"{}"),
        pack(b'{"data": 7}'),
        pack(body_of(KIB_256 + 1)),
        pack(body_of(10**8)),
    ],
)
def test_what_was_not_packed_here_is_unreadable(packed: str) -> None:
    """Nor does it grow without end."""
    with pytest.raises(PayloadUnreadable):
        unpack(packed)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000, b"\xef\xbb\xbf{}"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    """Of whatever kind it is."""
    with pytest.raises(ValueError):  # noqa: PT011 - the kind is what is promised.
        parse_body(body)
