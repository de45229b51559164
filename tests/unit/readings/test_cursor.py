from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.cursor import Cursor, CursorInvalid, decode, encode
from tests.unit.readings.made_up import FIVE, MINUTE, QUICK, SECOND

INSTANTS = st.integers(0, 10**10).map(lambda s: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@QUICK
@given(INSTANTS, st.booleans())
def test_an_encoded_cursor_is_decoded(last: datetime, descending: bool) -> None:  # noqa: FBT001 - drawn, not called.
    """The text needs no escaping in a URL."""
    text = encode(Cursor(last, descending))

    assert decode(text) == Cursor(last, descending)
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.fuzz
@QUICK
@given(
    st.one_of(
        st.text(max_size=80), st.binary(max_size=40).map(lambda b: base64.urlsafe_b64encode(b).decode())
    )
)
def test_any_other_text_is_rejected(text: str) -> None:
    """A random text raises CursorInvalid, unless it is a cursor by chance."""
    try:
        cursor = decode(text)
    except CursorInvalid:
        return
    assert encode(cursor) == text


@pytest.mark.parametrize(
    "plain", ["", "a", "x5", "a 5", "a+5", "a05", "a5.0", "a1_000", "a٣", "a" + "9" * 40, "a-99999999999999"]
)
def test_other_spellings_of_a_cursor_are_rejected(plain: str) -> None:
    """Each cursor has exactly one text."""
    with pytest.raises(CursorInvalid):
        decode(base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="))


def test_the_exception_does_not_contain_the_text() -> None:
    """What a caller sends does not appear in a log."""
    with pytest.raises(CursorInvalid) as invalid:
        decode("c2VjcmV0")

    assert "c2VjcmV0" not in str(invalid.value)
    assert invalid.value.__cause__ is None


def test_a_cursor_of_an_earlier_version_stays_valid() -> None:
    """A caller can continue with a cursor from before a deployment."""
    assert decode("YTE3OTUyNTE2MDA") == Cursor(datetime(2026, 11, 21, 9, tzinfo=UTC))


def test_the_rest_of_a_range() -> None:
    """Oldest first continues after the last reading, newest first before it."""
    end = FIVE + MINUTE * 60

    assert Cursor(FIVE + MINUTE).rest(FIVE, end) == (FIVE + MINUTE + SECOND, end)
    assert Cursor(FIVE + MINUTE, descending=True).rest(FIVE, end) == (FIVE, FIVE + MINUTE)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("hours", [-5, 5])
def test_a_cursor_never_widens_the_range(hours: int, *, descending: bool) -> None:
    """Also if it was made for another range."""
    end = FIVE + MINUTE * 60
    start, stop = Cursor(FIVE + MINUTE * 60 * hours, descending).rest(FIVE, end)

    assert FIVE <= start <= stop <= end


@pytest.mark.parametrize("descending", [False, True])
def test_a_cursor_at_the_last_possible_instant_is_valid(*, descending: bool) -> None:
    """A caller can make one, and nothing comes after it."""
    last = datetime.max.replace(microsecond=0, tzinfo=UTC)
    end = datetime.max.replace(tzinfo=UTC)

    start, stop = decode(encode(Cursor(last, descending))).rest(end - MINUTE, end)

    assert (start, stop) == ((end - MINUTE, last) if descending else (end, end))
