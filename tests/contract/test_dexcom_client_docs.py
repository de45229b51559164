from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bg_ingest.providers.http.admission import RateRules
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.policy import Backoff, Policy
from local.paths import PYTHONPATH

DOCUMENT = Path(__file__).parents[2] / "docs" / "dexcom-client.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


# Checks that run after the examples.
AFTERWARDS = """
assert uploaded is None or uploaded.end <= everything.end
assert "state=a-random-string" in login_url
assert not {"boto3", "botocore"} & set(__import__("sys").modules)
print(tokens.access_token)
"""


def test_examples_run() -> None:
    """All examples run, in their order, in an environment that has nothing but this checkout's code."""
    examples = [*re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL), AFTERWARDS]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input="\n".join(examples),
        cwd=DOCUMENT.parents[1],
        env={"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    *printed, access_token = done.stdout.splitlines()
    (line,) = (json.loads(line) for line in printed if line.startswith("{"))
    (shown,) = re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL)
    assert _varying(line) == _varying(json.loads(shown))
    assert any("mg/dL" in line for line in printed)
    assert "refresh: invalid_grant" in printed
    assert access_token
    assert not any(access_token in line for line in printed)


def _varying(line: dict[str, Any]) -> dict[str, Any]:
    """A log line in which each member that differs between runs is replaced by its type."""
    different = {"timestamp", "correlation_id", "latency_ms", "waited_ms", "size_bytes"}
    return {name: type(value) if name in different else value for name, value in line.items()}


@pytest.mark.parametrize(
    "quoted",
    [
        f"{RateRules().calls_max} calls at once, then one each {RateRules().interval_s} s",
        f"a call waits for up to {RateRules().wait_s_max:.0f} s",
        f"{Policy().attempts_max} for a GET",
        f"random up to {Backoff().first_s} s, 1 s, 2 s … {Backoff().wait_s_max:.0f} s",
        f"exactly, up to {Backoff().asked_s_max:.0f} s",
        f"{Policy().timeouts.attempt_s_max:.0f} s: pool",
        f"{Policy().time_s_max:.0f} s, or the caller's time",
        f"with less than {Policy().attempt_s_min:.0f} s is not begun",
        f"{Policy().answer_bytes_max // 2**20} MiB",
        f"if half of at least {CircuitRules().calls_min} calls failed",
        f"then one call each {CircuitRules().recovery.total_seconds():.0f} s",
    ],
)
def test_page_states_the_defaults_of_the_code(quoted: str) -> None:
    """The page states every default as it is in the code."""
    assert quoted in TEXT
