from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bg_ingest.providers.dexcom.oauth import tokens_of
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.seam import Tokens
from tests.support.fakes import NOON

GOOD = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 7200, "token_type": "Bearer"}


def test_a_documented_answer() -> None:
    """Two tokens, and until when the first is good; other members may be there."""
    tokens = tokens_of(GOOD | {"scope": "offline_access"}, NOON, "refresh-1")

    assert tokens == Tokens("access-2", "refresh-2", NOON + timedelta(hours=2))


@pytest.mark.parametrize("said", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_no_new_refresh_token_means_the_old_one_lives(said: dict[str, Any]) -> None:
    """Nothing was said about it, so it is kept; after a login there is none to keep."""
    answer = {"access_token": "access-2"} | said

    assert tokens_of(answer, NOON, "refresh-1").refresh_token == "refresh-1"
    with pytest.raises(ContractBroken):
        tokens_of(answer, NOON, None)


@pytest.mark.parametrize("access_token", [None, "", 7, ["access-2"]])
def test_without_an_access_token_there_is_no_answer(access_token: object) -> None:
    """It is called a success, and is none."""
    with pytest.raises(ContractBroken):
        tokens_of(GOOD | {"access_token": access_token}, NOON, "refresh-1")


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (60, 60),
        ("900", 900),
        (None, 7200),
        (0, 7200),
        (-1, 7200),
        ("soon", 7200),
        (True, 7200),
        (1e30, 7200),
        ([], 7200),
    ],
)
def test_an_odd_lifetime_never_costs_the_tokens(expires_in: object, seconds: int) -> None:
    """The refresh token in this answer is the only one alive."""
    tokens = tokens_of(GOOD | {"expires_in": expires_in}, NOON, "refresh-1")

    assert tokens.expires_at == NOON + timedelta(seconds=seconds)
