"""The simulator as a process of its own, over a real socket: what only that can show."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dexcom_sim.__main__ import arguments_of, world_of
from tests.simulators.dexcom.visitor import ANA, ASKED, CALLBACK, CREDENTIALS, LOGIN, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.enable_socket

CHECKOUT = Path(__file__).parents[3]
README = (CHECKOUT / "local" / "README.md").read_text(encoding="utf-8")
(STARTS_IT,) = (line for line in README.splitlines() if "-m dexcom_sim" in line)


def served(*arguments: str) -> subprocess.Popen[str]:
    """The command that README.md gives, on a port of its own choice, in an empty environment."""
    python, *words = shlex.split(STARTS_IT)
    assert python == ".venv/bin/python"
    return subprocess.Popen(  # noqa: S603 - our own command.
        [sys.executable, *words, "--port", "0", *arguments],
        cwd=CHECKOUT,
        env={},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address(process: subprocess.Popen[str]) -> str:
    """Where it says it is ready; blocks until it does."""
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]


@pytest.fixture(scope="module")
def running() -> Iterator[httpx.Client]:
    """A client of one simulator for all tests that need a socket."""
    with served("--upload-delay-seconds", "0") as process:
        with httpx.Client(base_url=address(process), timeout=60, trust_env=False) as client:
            yield client
        process.terminate()


@pytest.fixture
def dexcom(running: httpx.Client) -> httpx.Client:
    """The same, back at its beginning: no test inherits another one's faults."""
    running.post("/_sim/reset")
    return running


def connect(dexcom: httpx.Client) -> dict[str, Any]:
    """From login to tokens."""
    back = dexcom.get(LOGIN, params={**ASKED, "sim_user": ANA}).headers["location"]
    form = {**CREDENTIALS, "code": httpx.URL(back).params["code"], "redirect_uri": CALLBACK}
    tokens: dict[str, Any] = dexcom.post(TOKEN, data={**form, "grant_type": "authorization_code"}).json()
    return tokens


def refresh(dexcom: httpx.Client, tokens: dict[str, Any], **more: Any) -> httpx.Response:
    """Ask for new tokens."""
    form = {**CREDENTIALS, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return dexcom.post(TOKEN, data=form, **more)


@pytest.mark.parametrize(
    ("when", "status"), [("before_handling", 200), ("after_handling", 400), ("mid_body", 400)]
)
def test_a_dropped_connection_is_really_closed(dexcom: httpx.Client, when: str, status: int) -> None:
    """The socket closes without an answer, or in the middle of one, and the server lives on."""
    tokens = connect(dexcom)
    dexcom.post("/_sim/faults", json={"kind": "dropped", "when": when, "times": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        refresh(dexcom, tokens)
    assert refresh(dexcom, tokens).status_code == status


def test_slow_headers_really_wait(dexcom: httpx.Client) -> None:
    """A client with little patience gives up, though the refresh has happened."""
    tokens = connect(dexcom)
    dexcom.post("/_sim/faults", json={"kind": "slow_headers", "wait_s": 0.3, "times": 1})

    with pytest.raises(httpx.ReadTimeout):
        refresh(dexcom, tokens, timeout=0.05)
    assert refresh(dexcom, tokens).json() == {"error": "invalid_grant"}


def test_a_slow_body_really_drips(dexcom: httpx.Client) -> None:
    """The headers are there at once, the body comes in parts and is whole in the end."""
    dexcom.post("/_sim/faults", json={"kind": "slow_body", "wait_s": 0.01, "chunks": 3, "times": 1})
    with dexcom.stream("GET", "/v3/users/self/egvs") as answer:
        parts = list(answer.iter_raw())

    assert answer.status_code == 401
    assert len(parts) >= 2
    assert "fault" in json.loads(b"".join(parts))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_to(stop: signal.Signals) -> None:
    """It says one line when ready, leaves with 0, and complains about nothing."""
    with served("--seed", "3") as process:
        assert address(process).startswith("http://127.0.0.1:")
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_line_describes_the_world() -> None:
    """Every option arrives where it belongs."""
    world = world_of(
        arguments_of(
            [
                *("--seed", "7", "--people", "100", "--upload-delay-seconds", "10800"),
                *("--client-id", "me", "--client-secret", "s"),
                *("--redirect-uri", "http://a", "--redirect-uri", "http://b"),
            ]
        )
    )

    assert world.seed == 7
    assert "SandboxUser100" in world.people
    assert world.application.redirect_uris == ("http://a", "http://b")
    assert world.application.knows("me", "s")
    assert world.journal.delay_s(world.people["SandboxUser1"]) == 10_800
