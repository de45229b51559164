"""`make invoke` runs one function with one event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.errors import CannotStart
from local.invoke import invoke_in

if TYPE_CHECKING:
    from pathlib import Path

    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def test_invoke_prints_the_answer_and_the_log(cloud: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the output of `sam local invoke`."""
    assert invoke_in(cloud, "QueryFunction", "events/query_latest.json") == 0

    printed = capsys.readouterr()
    assert json.loads(json.loads(printed.out)["body"])["glucose_mg_dl"] > 0
    assert "request answered" in printed.err


def test_invoke_explains_bad_arguments_in_one_line(cloud: Stack, tmp_path: Path) -> None:
    """An unknown function, a missing file and a file without JSON each give one line."""
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
