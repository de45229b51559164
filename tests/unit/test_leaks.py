from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.leaks import leaks_in

CHECKOUT = Path(__file__).parents[2]

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
from tests.leak_watch import LeakWatch

def pytest_configure(config):
    watch = LeakWatch()
    watch.start()
    config.pluginmanager.register(watch)
"""
TESTS = {
    "a log line": "tell('fetched', what=PLANT)",
    "the message of a log line": "logging.getLogger('bg_ingest.dexcom').warning('got %s', PLANT)",
    "a metric's dimension": "meter().add(metrics.PROVIDER_ERRORS, of=PLANT); flush()",
    "an exception that was caught": "caught()",
}
TEST = """
import logging
from contextlib import suppress
from bg_ingest.dexcom.errors import Unavailable
from bg_ingest.telemetry import metrics, tell
from bg_ingest.telemetry.meter import flush, meter
PLANT = {plant!r}

def caught():
    with suppress(Unavailable):
        raise Unavailable('egvs of ' + PLANT)

def test_it():
    {deed}
"""


@pytest.mark.parametrize("line", HARMLESS)
def test_an_ordinary_line_is_no_leak(line: str) -> None:
    """A scan that cries wolf would be switched off."""
    assert leaks_in(line) == []


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED.keys())
def test_what_nobody_may_see_is_found(text: str) -> None:
    """Wherever in a line it is, and the report does not repeat it."""
    found = leaks_in(f'{{"message":"fetched","fact":"{text}"}}')

    assert found
    assert not [leak for leak in found if len(text) > 12 and text in leak]


def _run(folder: Path, plant: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST)
    for number, deed in enumerate(TESTS.values()):
        (folder / f"test_{number}.py").write_text(TEST.format(plant=plant, deed=deed))
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
        env={"PYTHONPATH": f"{CHECKOUT / 'layers' / 'core'}:{CHECKOUT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]


def test_planting_a_leak_anywhere_fails_the_test_it_is_in(tmp_path: Path) -> None:
    """In a line, a message, a metric or an exception, each by itself; and without the plant all is well."""
    assert _run(tmp_path, "SandboxUser7").startswith(f"{len(TESTS)} failed")
    assert _run(tmp_path, "nobody").startswith(f"{len(TESTS)} passed")
