from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.stored.stored_reading import SharedValue

slices = st.slices(6)


@given(st.integers(0, 5), slices)
def test_it_is_a_list_of_equal_members(length: int, part: slice) -> None:
    """Length, members, parts and equality are those of a list."""
    shared, plain = SharedValue("x", length), ["x"] * length

    assert list(shared) == plain
    assert shared == plain
    assert shared[part] == plain[part]
    assert list(reversed(shared)) == plain
    assert shared.count("x") == length
    assert (len(shared), bool(shared)) == (length, bool(plain))
    assert (shared == ["y"] * length) is (length == 0)


def test_an_index_is_within_the_length() -> None:
    """As of a list."""
    shared = SharedValue(7, 2)

    assert (shared[0], shared[-1]) == (7, 7)
    with pytest.raises(IndexError):
        shared[2]


def test_the_value_is_not_in_its_repr() -> None:
    """It may be health data."""
    assert "110" not in repr(SharedValue(110, 3))
