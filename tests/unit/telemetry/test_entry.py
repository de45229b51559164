from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from bg_ingest import telemetry
from bg_ingest.settings import load
from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import meter
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.telemetry.entry import Handler


class _Process:
    clock = FakeClock()

    def __init__(self) -> None:
        self.settings = load()


class _Context:
    aws_request_id = "request-1"


def _invoke(handler: Handler) -> Any:
    return telemetry.entry_point(_Process)(handler)({}, cast("LambdaContext", _Context()))


def _printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_lines_of_an_invocation_have_its_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    """The line with the metrics has the request id, too."""

    def handler(_event: dict[str, Any], _context: LambdaContext) -> str:
        telemetry.log("at work")
        meter.add(metrics.READINGS_STORED, 12)
        return telemetry.correlation_id()

    assert _invoke(handler) == "request-1"
    lines = _printed(capsys)
    assert [line["message"] for line in lines] == ["at work", "metrics"]
    assert {line["correlation_id"] for line in lines} == {"request-1"}


def test_a_failed_invocation_logs_the_class_and_not_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda logs the exception of a handler with its text, so the text is removed."""

    def handler(_event: dict[str, Any], _context: LambdaContext) -> None:
        meter.add(metrics.READINGS_STORED, 12)
        raise KeyError("SandboxUser7 has 222 mg/dL")

    with pytest.raises(telemetry.InvocationFailed) as failed:
        _invoke(handler)

    assert str(failed.value) == "KeyError"
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None
    failure, measured = _printed(capsys)
    assert (failure["message"], failure["raised"], failure["correlation_id"]) == (
        "invocation failed",
        "KeyError",
        "request-1",
    )
    assert measured["readings_stored"] == 12


@pytest.mark.parametrize(
    ("name", "value"), [("LOG_LEVEL", "LOUD"), ("LOG_OUTPUT", "file:/nobody/has/this/folder")]
)
def test_an_invalid_setting_ends_the_process_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """The line has the members of every line and the setting's name."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        _invoke(lambda _event, _context: pytest.fail("it must not run"))

    assert ended.value.code == 1
    (line,) = _printed(capsys)
    assert line.keys() >= {"timestamp", "level", "module", "message", "correlation_id"}
    assert (line["level"], line["message"].split(": ")[:2]) == ("CRITICAL", ["cannot run", name])
