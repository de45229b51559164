"""One fault without full recovery fails the whole run, and the table shows the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.deployed.fault_report import Outcome, table

_CLEAN = Outcome("a fault", "3 processes killed", 20.4, 61.5, calls=1_234, dead=0, held=0)


def test_full_recovery_is_clean() -> None:
    """An outcome with complete data and nothing left over is clean."""
    assert _CLEAN.is_clean
    assert table([_CLEAN]).splitlines()[-1] == (
        "| a fault | 3 processes killed | 20 s | 62 s | 1,234 | 0 | 0 | 0 |"
    )


@pytest.mark.parametrize(
    "left",
    [
        {"what": None},
        {"recovered_after_s": None},
        {"dead": 1},
        {"held": 1},
        {"flawed": {"user": ["missing"]}},
    ],
    ids=lambda left: next(iter(left)),
)
def test_an_outcome_with_leftovers_is_not_clean(left: dict[str, Any]) -> None:
    """A fault without effect, and each kind of leftover, is not clean."""
    assert not replace(_CLEAN, **left).is_clean
