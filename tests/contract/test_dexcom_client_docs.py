from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bg_ingest.dexcom.backoff import Backoff
from bg_ingest.dexcom.circuit import CircuitRules
from bg_ingest.dexcom.pace import PaceRules
from bg_ingest.dexcom.policy import Policy

DOCUMENT = Path(__file__).parents[2] / "docs" / "dexcom-client.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, in their order, as somebody would who reads from top to bottom."""
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(example, str(DOCUMENT), "exec"), names)  # noqa: S102 - our own document.

    printed = capsys.readouterr().out
    assert "mg/dL" in printed
    assert "refresh: invalid_grant" in printed
    assert names["tokens"].access_token not in printed
    assert names["news"] is None or names["news"].end <= names["everything"].end
    assert "state=something-nobody-can-guess" in names["login_here"]


@pytest.mark.parametrize(
    "quoted",
    [
        f"{PaceRules().calls_max} calls at once, then one each {PaceRules().interval_s} s",
        f"waited for up to {PaceRules().wait_s_max:.0f} s",
        f"{Policy().attempts_max} for a GET",
        f"up to {Backoff().first_s} s, 1 s, 2 s … {Backoff().wait_s_max:.0f} s",
        f"exactly, up to {Backoff().asked_s_max:.0f} s",
        f"{Policy().timeouts.attempt_s_max:.0f} s: pool",
        f"{Policy().time_s_max:.0f} s, or what the caller has left",
        f"less than {Policy().attempt_s_min:.0f} s is not begun",
        f"{Policy().answer_bytes_max // 2**20} MiB",
        f"opens after {CircuitRules().failures_max} failures in a row",
        f"one call each {CircuitRules().recovery.total_seconds():.0f} s",
    ],
)
def test_the_numbers_are_those_in_the_code(quoted: str) -> None:
    """A default that is changed is changed here too."""
    assert quoted in TEXT
