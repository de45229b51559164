"""`make invoke`: one function, one event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.errors import CannotStart
from local.invoke import invoke_in

if TYPE_CHECKING:
    from pathlib import Path

    from local.stack import Stack

pytestmark = pytest.mark.e2e


def test_it_prints_the_answer_and_the_log(cloud: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """What sam local invoke would show."""
    assert invoke_in(cloud, "QueryFunction", "events/query_latest.json") == 0

    printed = capsys.readouterr()
    assert json.loads(json.loads(printed.out)["body"])["glucose_mg_dl"] > 0
    assert "request answered" in printed.err


def test_what_cannot_be_invoked_is_said_in_one_line(cloud: Stack, tmp_path: Path) -> None:
    """An unknown function, a missing file, a file that is no JSON."""
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for function, event in (
        ("NoFunction", "events/query_latest.json"),
        ("QueryFunction", str(tmp_path / "missing.json")),
        ("QueryFunction", str(broken)),
    ):
        with pytest.raises(CannotStart) as trouble:
            invoke_in(cloud, function, event)
        assert "\n" not in str(trouble.value)
