import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync.orders.packed_body import PayloadUnreadable, pack, parse_body, unpack

KIB_256 = 256 * 1024


def body_of(length: int) -> bytes:
    """A valid body of this length."""
    frame = b'{"data": {"x": "%s"}}'
    return frame % (b"y" * (length - len(frame % b"")))


@given(st.lists(st.text() | st.integers() | st.floats(allow_nan=False)))
def test_a_packed_payload_is_unpacked_unchanged(records: list[object]) -> None:
    """Any records are unpacked unchanged."""
    assert unpack(pack(json.dumps({"data": {"records": records}}).encode())) == {"records": records}


def test_the_longest_payload_is_unpacked_unchanged() -> None:
    """A body of 256 KiB is within the limit."""
    body = body_of(KIB_256)

    assert len(body) == KIB_256
    assert unpack(pack(body)) == json.loads(body)["data"]


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not compressed",
        pack(b"no JSON"),
        pack(b"[]"),
        pack(b"{}"),
        pack(b'{"data": 7}'),
    ],
)
def test_an_invalid_packed_payload_is_unreadable(packed: bytes) -> None:
    """A payload that is not what was packed raises PayloadUnreadable."""
    with pytest.raises(PayloadUnreadable):
        unpack(packed)


@pytest.mark.parametrize("length", [KIB_256 + 1, 10**8])
def test_a_payload_beyond_the_limit_is_unreadable(length: int) -> None:
    """A byte more than the limit, and what a small message can grow to."""
    packed = pack(body_of(length))

    with pytest.raises(PayloadUnreadable):
        unpack(packed)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000, b"\xef\xbb\xbf{}"])
def test_an_invalid_json_body_raises_value_error(body: bytes) -> None:
    """Truncated, deeply nested or wrongly encoded JSON raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the documented class.
        parse_body(body)
