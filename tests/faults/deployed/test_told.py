"""One fault of which something is left makes the whole run fail, and the table says what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.deployed.told import Outcome, table

_CLEAN = Outcome("a fault", "3 processes killed", 20.4, 61.5, calls=1_234, dead=0, held=0)


def test_a_clean_outcome() -> None:
    """Whole in the end, and nothing is left."""
    assert _CLEAN.is_clean
    assert table([_CLEAN]).splitlines()[-1] == (
        "| a fault | 3 processes killed | 20 s | 62 s | 1,234 | 0 | 0 | 0 |"
    )


@pytest.mark.parametrize(
    "left",
    [
        {"what": None},
        {"whole_after_s": None},
        {"dead": 1},
        {"held": 1},
        {"flawed": {"somebody": ["missing"]}},
    ],
    ids=lambda left: next(iter(left)),
)
def test_something_is_left(left: dict[str, Any]) -> None:
    """A fault that did not strike shows nothing; the others are what the check is for."""
    assert not replace(_CLEAN, **left).is_clean
