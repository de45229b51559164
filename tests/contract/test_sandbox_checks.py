"""The checks of `make test-sandbox` pass at the simulated Dexcom, and each of them can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.dexcom import Application
from dexcom_sim.faults import MissingMembers, OddValues, StatusFault, UnknownEnums
from dexcom_sim.in_process import InProcessTransport
from dexcom_sim.simulator import SimulatedDexcom
from local.paths import CHECKOUT, PYTHONPATH
from tests.sandbox import checks
from tests.sandbox.__main__ import run
from tests.sandbox.login import LoginFailed, code_in, log_in, oauth_at
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from dexcom_sim.faults import Fault
    from tests.sandbox.checks import Check
    from tests.sandbox.login import SandboxAccount

_CALLBACK = "https://service.test/oauth/callback"


def _account(*faults: Fault) -> SandboxAccount:
    clock = FakeClock(datetime(2026, 4, 26, 12, tzinfo=UTC))
    world = SimulatedDexcom(clock=clock)
    transport = InProcessTransport(world)
    application = Application(world.application.client_id, world.application.client_secret, _CALLBACK)
    oauth = oauth_at("http://dexcom.sim", application, clock, transport)
    account = log_in(oauth, world.consents.grant_code("SandboxUser7", _CALLBACK), clock, transport)
    for fault in faults:
        world.add_fault(fault)
    return account


def test_every_check_passes_at_the_simulated_dexcom(capsys: pytest.CaptureFixture[str]) -> None:
    """Each prints what it observed, and neither a token nor a value."""
    account = _account()
    assert run(account) == 0
    printed = capsys.readouterr().out

    assert len(printed.splitlines()) == len(checks.CHECKS)
    assert account.tokens.access_token not in printed
    assert account.code not in printed


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (OddValues(values=(0,)), checks.every_record_is_read),
        (MissingMembers(members=("value",)), checks.every_record_is_read),
        (UnknownEnums(times=1), checks.the_same_range_has_the_same_records),
        (StatusFault(status=503), checks.bad_dates_are_400),
        (StatusFault(status=500), checks.a_refresh_token_works_one_time),
    ],
)
def test_a_check_fails_where_dexcom_differs(
    fault: Fault, check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says what was expected."""
    assert run(_account(fault), [check]) == 1
    line = capsys.readouterr().out

    assert "FAILED" in line
    assert f"Expected: {check.__doc__}" in line


@pytest.mark.parametrize(
    ("redirect", "wanted"),
    [
        ("https://service.test/?code=abc&state=other", "another login"),
        ("https://service.test/?error=access_denied&state=mine", "Allow access"),
        ("nothing", "another login"),
    ],
)
def test_a_pasted_address_without_a_code_is_refused(redirect: str, wanted: str) -> None:
    """The text says what to do."""
    with pytest.raises(LoginFailed, match=wanted):
        code_in(redirect, "mine")
    assert code_in(" https://service.test/?code=abc&state=mine\n", "mine") == "abc"


def test_missing_credentials_are_named() -> None:
    """The command says which are missing and where they come from."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox"],
        cwd=CHECKOUT,
        env={"PYTHONPATH": f"{PYTHONPATH}{os.pathsep}{CHECKOUT}", "DEXCOM_CLIENT_ID": "x"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout.startswith("DEXCOM_CLIENT_SECRET, DEXCOM_REDIRECT_URI is not set. Register")
