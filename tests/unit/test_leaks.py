from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.paths import PYTHONPATH
from tests.support.bare_numbers import unexplained_in_error, unexplained_in_line
from tests.support.leaks import leaks_in

if TYPE_CHECKING:
    from pathlib import Path

# Lines of a real day, which must raise no alarm.
HARMLESS = [
    '{"message":"provider called","path":"/v3/users/self/egvs","status":200,"latency_ms":222.0,"attempt":1}',
    '{"message":"order carried out","fetched":12,"stored":222,"revised":0,"invalid":0}',
    '{"correlation_id":"8f5b2f3e-31d6-4b6e-9d0a-6d1c5f1f7f10","route":"GET /api/bg/{userId}/latest"}',
    '{"correlation_id":"4bf92f3577b34da6a3ce929d0e0e4736","data_age_s":300}',
    "refresh: invalid_grant",
]
PLANTED = {
    "token": "Bearer abc",
    "opaque token": "9f" * 40,
    "secret": "bg-ingest-secret",
    "person": "SandboxUser7",
    "user id": "user=demo",
    "transmitter": "5c8d" * 16,
    "glucose in words": "222 mg/dL",
    "glucose as a fact": '"glucose_mg_dl":222',
}
CONFTEST = """
from tests.support.leak_watch import LeakWatch

def pytest_configure(config):
    watch = LeakWatch()
    watch.start()
    config.pluginmanager.register(watch)
"""
TESTS = {
    "a log line": "log('fetched', what=PLANT)",
    "the message of a log line": "logging.getLogger('bg_ingest.providers.dexcom').warning('got %s', PLANT)",
    "a metric's dimension": "measure(str(PLANT))",
    "an exception that was caught": "caught()",
}
TEST = """
import logging
import pytest
from contextlib import suppress
from datetime import UTC, datetime
from bg_ingest.providers.errors import Unavailable
from bg_ingest.telemetry import configure, log, metrics
from bg_ingest.telemetry.meter import flush, meter

def caught():
    with suppress(Unavailable):
        raise Unavailable(f'egvs of {PLANT}')

def measure(dimension):
    meter.add(metrics.PROVIDER_ERRORS, of=dimension)
    flush('test', datetime.now(UTC))

@pytest.mark.parametrize('plant', PLANTS)
def test_it(plant):
    global PLANT
    PLANT = plant
    configure(level="INFO", output="stdout")
    {deed}
"""
# A person, a glucose value by itself, as a number and in a text; and what is harmless.
PLANTS = ["SandboxUser7", 222, "222", "5.9", "nobody"]


@pytest.mark.parametrize("line", HARMLESS)
def test_an_ordinary_line_has_no_leak(line: str) -> None:
    """A scan that cries wolf would be switched off."""
    assert leaks_in(line) == []


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED.keys())
def test_a_secret_in_a_line_is_found(text: str) -> None:
    """Wherever in a line it is, and the report does not repeat it."""
    found = leaks_in(f'{{"message":"fetched","fact":"{text}"}}')

    assert found
    assert not [leak for leak in found if len(text) > 12 and text in leak]


@pytest.mark.parametrize("line", HARMLESS)
def test_an_ordinary_line_has_no_number_that_nothing_explains(line: str) -> None:
    """Statuses, counts and times are under names that docs/logs-and-metrics.md gives."""
    assert unexplained_in_line(line) == []


@pytest.mark.parametrize(
    "line",
    [
        '{"message":"fetched 222"}',
        '{"message":"fetched","newest":222}',
        '{"message":"fetched","newest":5.9}',
        '{"message":"fetched","newest":"222"}',
        '{"message":"fetched","error":"222"}',
        '{"message":"fetched","newest":{"of":[222]}}',
        '{"_aws":{},"message":"metrics","glucose":[222]}',
    ],
)
def test_a_bare_number_is_found(line: str) -> None:
    """A glucose value needs neither a name nor a unit to be one."""
    assert len(unexplained_in_line(line)) == 1


@pytest.mark.parametrize(
    "text", ["egvs: 503", "GET /v3/users/self/egvs: 429", "3 orders were refused 8 times", ""]
)
def test_an_ordinary_error_has_no_number_that_nothing_explains(text: str) -> None:
    """A refusal's status, a version in a path, a count."""
    assert unexplained_in_error(f"{text} Unavailable({text!r})") == []


@pytest.mark.parametrize("text", ["egvs: 222", "222", "after 5.9", "reading -3", "[112]"])
def test_a_bare_number_in_an_error_is_found(text: str) -> None:
    """The same of an exception's text."""
    assert unexplained_in_error(f"{text} Unavailable({text!r})")


def _run(folder: Path) -> str:
    (folder / "conftest.py").write_text(CONFTEST)
    for number, deed in enumerate(TESTS.values()):
        test = TEST.replace("{deed}", deed).replace("PLANTS", repr(PLANTS))
        (folder / f"test_{number}.py").write_text(test)
    options = [
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "--import-mode=importlib",
    ]
    done = subprocess.run(  # noqa: S603 - our own command.
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(folder), str(folder)],
        cwd=folder,
        env={"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]


def test_planting_a_leak_anywhere_fails_the_test_it_is_in(tmp_path: Path) -> None:
    """In a line, a message, a metric or an exception, each by itself; and without the plant all is well."""
    places = len(TESTS)

    assert _run(tmp_path).startswith(f"{places * (len(PLANTS) - 1)} failed, {places} passed")
