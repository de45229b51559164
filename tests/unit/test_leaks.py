from __future__ import annotations

import os
import secrets
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from local.paths import PYTHONPATH
from tests.support.bare_numbers import unexplained_in_error, unexplained_in_line
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import FakeClock
from tests.support.leaks import FORBIDDEN, leaks_in
from tests.support.run_secrets import RunSecrets

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
    "token of a reader": "watch-0123456789012345",
    "digest of a token": "3f786850e387550fdab836ed7e6dc881de23001b",
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
    "a log line": "log('fetched', planted=PLANT)",
    "the message of a log line": "logging.getLogger('bg_ingest.providers.dexcom').warning('got %s', PLANT)",
    "a metric's dimension": "measure(str(PLANT))",
    "an exception that was caught": "caught()",
}
TEST = """
import logging
import secrets
from base64 import b64encode
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
    secret = secrets.token_urlsafe(24)
    PLANT = b64encode(secret.encode()).decode() if plant == "a secret of this run, encoded" else plant
    configure(level="INFO", output="stdout")
    {deed}
"""
# A person, a glucose value by itself, as a number and in a text; and what is harmless.
PLANTS = ["SandboxUser7", 222, "222", "5.9", "a secret of this run, encoded", "nobody"]


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


@pytest.mark.parametrize(
    ("kind", "sign"), [(kind, sign) for kind, patterns in FORBIDDEN.items() for sign in patterns]
)
@settings(max_examples=5)
@given(data=st.data())
def test_what_a_pattern_matches_has_its_sign(kind: str, sign: str, data: st.DataObject) -> None:
    """A text without the sign is not searched."""
    text = data.draw(st.from_regex(FORBIDDEN[kind][sign]))

    assert [leak for leak in leaks_in(text) if leak.startswith(kind)]
    assert sign in text + text.casefold()


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


SECRET = "kJ4-uX9_mQ2+pZ7/wL0="  # It has no shape that leaks.py knows.
FORMS = {
    "plain": SECRET,
    "upper case": SECRET.upper(),
    "lower case": SECRET.lower(),
    "base64": b64encode(SECRET.encode()).decode(),
    "base64 inside other bytes": b64encode(f"to {SECRET}, at once".encode()).decode(),
    "base64 for URLs": urlsafe_b64encode(f"?{SECRET}".encode()).decode(),
    "base64 in other case": b64encode(SECRET.encode()).decode().lower(),
    "URL-encoded": quote(SECRET, safe=""),
    "URL-encoded as a whole": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    "hexadecimal": SECRET.encode().hex(),
    "first half": SECRET[:10],
    "second half": SECRET[10:],
    "half in base64": b64encode(SECRET[10:].encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_secret_of_the_run_is_found_in_each_form(form: str) -> None:
    """Also in the middle of a line; the finding does not repeat it."""
    known = RunSecrets()
    known.add("a token", SECRET)

    assert known.found_in(f'{{"message":"fetched","from":"x{form}y"}}') == ["a token of this run"]


def test_a_line_without_the_secrets_of_the_run_is_clean() -> None:
    """Short values are left out, because they would be found in harmless lines."""
    known = RunSecrets()
    known.add("a token", SECRET, os.urandom(32))
    known.add("a user id", "ada", "nobody")

    assert leaks_in(SECRET) == []
    assert [known.found_in(line) for line in HARMLESS] == [[]] * len(HARMLESS)
    assert known.found_in("ada and nobody") == []


def test_a_forgotten_secret_is_not_found() -> None:
    """The next test has secrets of its own."""
    known = RunSecrets()
    known.add("a token", SECRET)
    known.forget()

    assert known.found_in(SECRET) == []


@pytest.mark.parametrize(
    ("sealed", "found"),
    [
        (b'["some-access-token", "some-refresh-token", 1793000000]', "some-refresh-token"),
        (b"some opaque secret", b"some opaque secret".hex()),
        (bytes(range(200, 232)), b64encode(bytes(range(200, 232))).decode()),
    ],
)
def test_what_the_service_seals_is_a_secret_of_the_run(
    sealed: bytes, found: str, request: pytest.FixtureRequest
) -> None:
    """The watch of this run takes note of it, and of its user."""
    watch = request.config.pluginmanager.get_plugin("leak-watch")
    assert watch
    fake_sealer(FakeClock()).seal("user-of-the-seal", sealed)

    assert watch.known.found_in(f"got {found}") == ["a sealed secret of this run"]
    assert watch.known.found_in("User-Of-The-Seal") == ["a user id of this run"]
    assert watch.known.found_in(f"got {secrets.token_urlsafe(24)}") == ["a secret of this run"]
    assert watch.known.found_in(SecretStr("word-of-a-sender").get_secret_value()) == ["a secret of this run"]


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
