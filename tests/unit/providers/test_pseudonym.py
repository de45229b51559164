from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.pseudonym import pseudonym


@given(st.text(min_size=1))
def test_an_id_has_one_name_of_sixteen_digits(dexcom_id: str) -> None:
    """Always the same, and of the same length, whatever the id is."""
    name = pseudonym("transmitter", dexcom_id)

    assert name == pseudonym("transmitter", dexcom_id)
    assert name is not None
    assert len(name) == 16
    assert dexcom_id == name or len(dexcom_id) < 6 or dexcom_id not in name


def test_one_text_as_two_kinds_of_id_has_two_names() -> None:
    """Nobody finds out that an account is called like a transmitter."""
    assert pseudonym("transmitter", "4dd1c3") != pseudonym("account", "4dd1c3")


@pytest.mark.parametrize("nothing", [None, "", 7, True, []])
def test_what_is_no_id_has_no_name(nothing: object) -> None:
    """Else all that have none would be the same one."""
    assert pseudonym("account", nothing) is None
