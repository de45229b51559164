from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.seam import pseudonym


@given(st.text(min_size=1))
def test_pseudonym_is_16_digits_without_the_id(provider_id: str) -> None:
    """An id always has the same pseudonym of 16 digits, which does not contain the id."""
    name = pseudonym("dexcom/transmitter", provider_id)

    assert name == pseudonym("dexcom/transmitter", provider_id)
    assert name is not None
    assert len(name) == 16
    assert provider_id == name or len(provider_id) < 6 or provider_id not in name


def test_pseudonyms_of_two_kinds_differ() -> None:
    """An account and a transmitter with the same id have different pseudonyms."""
    assert pseudonym("dexcom/transmitter", "4dd1c3") != pseudonym("dexcom/account", "4dd1c3")


def test_pseudonym_is_stable_across_versions() -> None:
    """Stored readings contain pseudonyms, so an id keeps its pseudonym in every version."""
    assert pseudonym("dexcom/transmitter", "8G1234") == "cb1e1c095aa99cbc"


@pytest.mark.parametrize("value", [None, "", 7, True, []])
def test_missing_id_has_no_pseudonym(value: object) -> None:
    """Without an id the pseudonym is None, so that two missing ids are not treated as equal."""
    assert pseudonym("dexcom/account", value) is None
