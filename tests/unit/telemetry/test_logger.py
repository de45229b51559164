from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest import telemetry
from bg_ingest.settings import SettingsInvalid, load
from bg_ingest.telemetry.json_lines import JsonLines
from bg_ingest.telemetry.outputs import LogFile
from tests.unit.test_settings import STRICT

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = {"timestamp", "level", "module", "message", "correlation_id"}


@pytest.fixture(autouse=True)
def _configured(_fresh_process: None) -> None:
    telemetry.configure()


def _printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_when_how_bad_where_what_and_on_whose_behalf(capsys: pytest.CaptureFixture[str]) -> None:
    """Timestamp, level, module, message and correlation id, and the facts that were named."""
    telemetry.adopt_correlation_id("ticket-4711")
    telemetry.log("tick served", users=3)

    (line,) = _printed(capsys)
    assert line.keys() >= ALWAYS
    assert (line["level"], line["module"], line["message"]) == ("INFO", "test_logger", "tick served")
    assert (line["correlation_id"], line["users"]) == ("ticket-4711", 3)
    assert line["timestamp"].endswith("+00:00")


def test_the_level_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """LOG_LEVEL=WARNING: information is not written."""
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    telemetry.configure()
    telemetry.log("quiet")
    telemetry.log("loud", level=logging.WARNING)

    assert [line["message"] for line in _printed(capsys)] == ["loud"]


def test_whoever_uses_it_as_a_library_says_level_and_place_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parameters win over the environment, and can be changed."""
    telemetry.configure(level="ERROR", output=f"file:{tmp_path / 'log'}")
    telemetry.log("not that bad", level=logging.WARNING)
    telemetry.log("bad", level=logging.ERROR)
    telemetry.configure(output="stdout")
    telemetry.log("to stdout")

    assert [json.loads(line)["message"] for line in (tmp_path / "log").read_text().splitlines()] == ["bad"]
    assert [line["message"] for line in _printed(capsys)] == ["to stdout"]


def test_a_file_is_continued(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lines of the process before are still there."""
    monkeypatch.setenv("LOG_OUTPUT", f"file:{tmp_path / 'log'}")
    telemetry.configure()
    (tmp_path / "log").write_text('{"message":"before"}\n')
    telemetry.log("after")

    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["before", "after"]


def test_an_errors_text_stays_out_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Its kind and its place are written; its text may quote what it choked on."""
    try:
        int("SandboxUser7 has 222 mg/dL")
    except ValueError as error:
        telemetry.log("order failed", raised=error)

    (line,) = _printed(capsys)
    assert line["raised"] == "ValueError"
    assert "test_logger.py:" in line["at"]
    assert "222" not in json.dumps(line | {"at": ""})


def test_an_error_that_was_never_raised_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    """It has a kind and no place."""
    telemetry.log("order failed", raised=ValueError("x"))

    (line,) = _printed(capsys)
    assert (line["raised"], line["at"]) == ("ValueError", "")


def test_only_plain_values_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Of anything else the type: a whole record or request must not get into the log by accident."""
    record: Any = {"value": 222, "transmitterId": "abc"}
    telemetry.log("fetched", record=record, endless=float("inf"))

    (line,) = _printed(capsys)
    assert (line["record"], line["endless"]) == ("dict", None)


facts = st.dictionaries(
    st.text() | st.sampled_from(sorted(ALWAYS)),
    st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text())),
)


@given(message=st.text(), facts=facts)
def test_whatever_is_told_is_one_line_of_json(message: str, facts: dict[str, Any]) -> None:
    """And no fact takes the place of what every line has."""
    record = logging.makeLogRecord({"name": "anybody", "msg": message, "levelname": "INFO", "facts": facts})
    text = JsonLines("worker").format(record)

    assert "\n" not in text
    line = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert line.keys() == ALWAYS | {"function"} | facts.keys()
    assert (line["level"], line["message"], line["function"]) == ("INFO", message, "worker")


def test_the_libraries_beneath_keep_what_they_know(capsys: pytest.CaptureFixture[str]) -> None:
    """At DEBUG, botocore would print what KMS decrypted and httpx would print whole addresses."""
    for name in ("botocore", "boto3", "httpx", "httpcore", "urllib3"):
        logging.getLogger(name).setLevel(logging.DEBUG)  # As somebody might have left them.
    telemetry.configure(level="DEBUG")

    for name in ("botocore", "botocore.endpoint", "httpx", "httpcore.http11", "urllib3.connectionpool"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "output", ["pigeon", "syslog+udp://", "syslog+tcp://host:99999", "syslog+tls://host"]
)
def test_a_place_that_cannot_be_is_refused(output: str) -> None:
    """The setting is named."""
    with pytest.raises(SettingsInvalid, match=r"^LOG_OUTPUT: "):
        telemetry.configure(output=output)


def test_a_file_that_cannot_be_written_is_a_setting_at_fault(tmp_path: Path) -> None:
    """Said at the start, not at the first line."""
    with pytest.raises(SettingsInvalid, match=r"^LOG_OUTPUT: the file cannot be written"):
        telemetry.configure(output=f"file:{tmp_path}")


def test_a_log_that_breaks_is_said_once_and_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk, say; the lines are lost, the work goes on."""
    telemetry.configure(output=f"file:{tmp_path / 'log'}")
    (file,) = [each for each in logging.getLogger("bg_ingest").handlers if isinstance(each, LogFile)]
    assert file.stream
    file.stream.close()
    for _ in range(3):
        telemetry.log("lost")

    assert capsys.readouterr().err == "bg_ingest: log lines are lost: ValueError\n"


def test_outside_development_the_log_needs_no_setting_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """INFO, to stdout."""
    for name, value in STRICT.items():
        monkeypatch.setenv(name, value)
    telemetry.configure()
    telemetry.log("here")

    assert load().log_output == "stdout"
    assert [line["message"] for line in _printed(capsys)] == ["here"]
