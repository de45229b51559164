"""The simulator as a process, over a real socket."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dexcom_sim.__main__ import parse_arguments, simulator_of
from tests.simulators.dexcom.process import served
from tests.simulators.dexcom.visitor import ANA, CALLBACK, CREDENTIALS, LOGIN, LOGIN_PARAMETERS, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def running() -> Iterator[httpx.Client]:
    """A client of one simulator for all tests that need a socket."""
    with (
        served("--upload-delay-seconds", "0") as (_, address),
        httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def dexcom(running: httpx.Client) -> httpx.Client:
    """The same client after a reset, so that no test sees the faults of another one."""
    running.post("/_sim/reset")
    return running


def connect(dexcom: httpx.Client) -> dict[str, Any]:
    """Log in and return the tokens."""
    redirect = dexcom.get(LOGIN, params={**LOGIN_PARAMETERS, "sim_user": ANA}).headers["location"]
    form = {**CREDENTIALS, "code": httpx.URL(redirect).params["code"], "redirect_uri": CALLBACK}
    tokens: dict[str, Any] = dexcom.post(TOKEN, data={**form, "grant_type": "authorization_code"}).json()
    return tokens


def refresh(dexcom: httpx.Client, tokens: dict[str, Any], **more: Any) -> httpx.Response:
    """Request new tokens."""
    form = {**CREDENTIALS, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    return dexcom.post(TOKEN, data=form, **more)


@pytest.mark.parametrize(
    ("when", "status"), [("before_handling", 200), ("after_handling", 400), ("mid_body", 400)]
)
def test_a_dropped_connection_closes_the_socket(dexcom: httpx.Client, when: str, status: int) -> None:
    """The socket closes without a complete response, and the server continues to serve."""
    tokens = connect(dexcom)
    dexcom.post("/_sim/faults", json={"kind": "dropped", "when": when, "times": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        refresh(dexcom, tokens)
    assert refresh(dexcom, tokens).status_code == status


def test_slow_headers_wait_in_real_time(dexcom: httpx.Client) -> None:
    """A client with a short timeout gets none of the response, and the refresh has happened."""
    tokens = connect(dexcom)
    dexcom.post("/_sim/faults", json={"kind": "slow_headers", "wait_s": 0.3, "times": 1})

    with pytest.raises(httpx.ReadTimeout):
        refresh(dexcom, tokens, timeout=0.05)
    assert refresh(dexcom, tokens).json() == {"error": "invalid_grant"}


def test_a_slow_body_arrives_in_chunks(dexcom: httpx.Client) -> None:
    """The headers arrive at once; the chunks of the body together are the whole body."""
    dexcom.post("/_sim/faults", json={"kind": "slow_body", "wait_s": 0.01, "chunks": 3, "times": 1})
    with dexcom.stream("GET", "/v3/users/self/egvs") as response:
        chunks = list(response.iter_raw())

    assert response.status_code == 401
    assert len(chunks) >= 2
    assert "fault" in json.loads(b"".join(chunks))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_cleanly(stop: signal.Signals) -> None:
    """The process prints one line when it is ready, exits with 0, and prints nothing else."""
    with served("--seed", "3") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (0, "", "")


def test_command_line_options_reach_the_simulator() -> None:
    """Each option sets the property that it is named after."""
    simulator = simulator_of(
        parse_arguments(
            [
                *("--seed", "7", "--people", "100", "--upload-delay-seconds", "10800"),
                *("--client-id", "me", "--client-secret", "s"),
                *("--redirect-uri", "http://a", "--redirect-uri", "http://b"),
            ]
        )
    )

    assert simulator.seed == 7
    assert "SandboxUser100" in simulator.people
    assert simulator.application.redirect_uris == ("http://a", "http://b")
    assert simulator.application.has_credentials("me", "s")
    assert simulator.archive.upload_delay_s(simulator.people["SandboxUser1"]) == 10_800


def test_help_and_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names the command and its options; `--version` prints a line."""
    for option, text in (("--help", "usage: dexcom-sim"), ("--version", "")):
        with pytest.raises(SystemExit) as ended:
            parse_arguments([option])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(text)
