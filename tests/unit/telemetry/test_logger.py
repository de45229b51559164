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


def test_a_line_has_its_members_and_the_given_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """The members are timestamp, level, module, message and correlation id."""
    telemetry.adopt_correlation_id("ticket-4711")
    telemetry.log("tick served", users=3)

    (line,) = _printed(capsys)
    assert line.keys() >= ALWAYS
    assert (line["level"], line["module"], line["message"]) == ("INFO", "test_logger", "tick served")
    assert (line["correlation_id"], line["users"]) == ("ticket-4711", 3)
    assert line["timestamp"].endswith("+00:00")


def test_the_level_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With LOG_LEVEL=WARNING no information is written."""
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    telemetry.configure()
    telemetry.log("quiet")
    telemetry.log("loud", level=logging.WARNING)

    assert [line["message"] for line in _printed(capsys)] == ["loud"]


def test_parameters_override_the_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second call can change the level and the output."""
    telemetry.configure(level="ERROR", output=f"file:{tmp_path / 'log'}")
    telemetry.log("not that bad", level=logging.WARNING)
    telemetry.log("bad", level=logging.ERROR)
    telemetry.configure(output="stdout")
    telemetry.log("to stdout")

    assert [json.loads(line)["message"] for line in (tmp_path / "log").read_text().splitlines()] == ["bad"]
    assert [line["message"] for line in _printed(capsys)] == ["to stdout"]


def test_a_log_file_is_appended_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lines of an earlier process are kept."""
    monkeypatch.setenv("LOG_OUTPUT", f"file:{tmp_path / 'log'}")
    telemetry.configure()
    (tmp_path / "log").write_text('{"message":"before"}\n')
    telemetry.log("after")

    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["before", "after"]


def test_the_text_of_an_error_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """The class and the place are logged; the text may contain personal data."""
    try:
        int("SandboxUser7 has 222 mg/dL")
    except ValueError as error:
        telemetry.log("order failed", raised=error)

    (line,) = _printed(capsys)
    assert line["raised"] == "ValueError"
    assert "test_logger.py:" in line["at"]
    assert "222" not in json.dumps(line | {"at": "", "timestamp": ""})


def test_an_error_that_was_never_raised_can_be_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """Its class is logged, and its place is empty."""
    telemetry.log("order failed", raised=ValueError("x"))

    (line,) = _printed(capsys)
    assert (line["raised"], line["at"]) == ("ValueError", "")


def test_only_plain_values_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """For any other value its type is logged, so that no record or request is logged by accident."""
    record: Any = {"value": 222, "transmitterId": "abc"}
    telemetry.log("fetched", record=record, endless=float("inf"))

    (line,) = _printed(capsys)
    assert (line["record"], line["endless"]) == ("dict", None)


facts = st.dictionaries(
    st.text() | st.sampled_from(sorted(ALWAYS)),
    st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text())),
)


@given(message=st.text(), facts=facts)
def test_any_message_and_facts_make_one_line_of_json(message: str, facts: dict[str, Any]) -> None:
    """No fact replaces a member of every line."""
    record = logging.makeLogRecord({"name": "anybody", "msg": message, "levelname": "INFO", "facts": facts})
    text = JsonLines("worker").format(record)

    assert "\n" not in text
    line = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert line.keys() == ALWAYS | {"function"} | facts.keys()
    assert (line["level"], line["message"], line["function"]) == ("INFO", message, "worker")


def test_libraries_do_not_log_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """At DEBUG, they would log whole URLs and headers."""
    for name in ("httpx", "httpcore", "urllib3"):
        logging.getLogger(name).setLevel(logging.DEBUG)  # As an application may have set them.
    telemetry.configure(level="DEBUG")

    for name in ("httpx", "httpcore.http11", "urllib3.connectionpool"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "output", ["pigeon", "syslog+udp://", "syslog+tcp://host:99999", "syslog+tls://host"]
)
def test_an_invalid_log_output_is_refused(output: str) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsInvalid, match=r"^LOG_OUTPUT: "):
        telemetry.configure(output=output)


def test_an_unwritable_log_file_is_an_invalid_setting(tmp_path: Path) -> None:
    """The error is raised at the start and not at the first line."""
    with pytest.raises(SettingsInvalid, match=r"^LOG_OUTPUT: the file cannot be written"):
        telemetry.configure(output=f"file:{tmp_path}")


def test_a_failing_log_is_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the disk is full, for example, then lines are lost and the function continues."""
    telemetry.configure(output=f"file:{tmp_path / 'log'}")
    (file,) = [each for each in logging.getLogger("bg_ingest").handlers if isinstance(each, LogFile)]
    assert file.stream
    file.stream.close()
    for _ in range(3):
        telemetry.log("lost")

    assert capsys.readouterr().err == "bg_ingest: log lines are lost: ValueError\n"


def test_strict_settings_log_to_stdout_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside development the default is level INFO on stdout."""
    for name, value in STRICT.items():
        monkeypatch.setenv(name, value)
    telemetry.configure()
    telemetry.log("here")

    assert load().log_output == "stdout"
    assert [line["message"] for line in _printed(capsys)] == ["here"]
