"""The README of the simulator: every example runs as it is written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from dexcom_sim.__main__ import parse_arguments
from dexcom_sim.faults import Fault
from local.paths import SIMULATOR
from tests.simulators.dexcom.process import README, served, start_command
from tests.simulators.dexcom.visitor import new_visitor

CURLS = [line for line in README.splitlines() if line.startswith("curl ")]
VARIABLES = {"$DEXCOM": "", "$SIM": "/_sim", "$JSON": "content-type: application/json"}
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def request_of(line: str) -> dict[str, Any]:
    """The request that curl would send, as arguments for httpx."""
    for name, value in VARIABLES.items():
        line = line.replace(name, value)
    words = iter(shlex.split(line)[1:])
    request: dict[str, Any] = {"method": "GET", "headers": {}}
    for word in words:
        if word == "-X":
            request["method"] = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            request["headers"][name] = value
        elif word == "-d":
            request["content"] = next(words)
            request["method"] = "POST" if request["method"] == "GET" else request["method"]
        elif not word.startswith("-"):
            request["url"] = word
    return request


def _run(code: str) -> subprocess.CompletedProcess[str]:
    """Run an example in a process that finds nothing but the simulator and its dependencies."""
    return subprocess.run(  # noqa: S603 - our own documentation.
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONPATH": str(SIMULATOR)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("line", CURLS)
def test_each_curl_command_succeeds(line: str) -> None:
    """Each curl line succeeds against a simulator that was just started."""
    response = new_visitor().client.request(**request_of(line))

    assert response.status_code in {200, 201, 302}, response.text


def test_the_login_link_opens_the_login_page() -> None:
    """The address for the browser shows the page with its buttons."""
    (link,) = re.findall(r"^`http://127\.0\.0\.1:5002(/v3/oauth2/login\S+)`$", README, flags=re.MULTILINE)
    response = new_visitor().client.get(link)

    assert response.status_code == 200
    assert "Authorize" in response.text


@pytest.mark.enable_socket
def test_the_login_example_runs() -> None:
    """The first Python example logs in to a served simulator and prints the range of the readings."""
    with served() as (_, address):
        code = PYTHON[0].replace("http://127.0.0.1:5002", address)
        ran = _run(code)

    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"\S+Z \S+Z\n", ran.stdout)


def test_the_example_for_tests_runs() -> None:
    """The second Python example runs without a socket, and its assertions hold."""
    assert len(PYTHON) == 2
    ran = _run(PYTHON[1])

    assert ran.returncode == 0, ran.stderr


def test_each_fault_has_an_example() -> None:
    """There is a curl line for each kind of fault, and none for an unknown kind."""
    documented = set(re.findall(r"""-d '\{"kind": "(\w+)\"""", README))
    kinds = TypeAdapter(Fault).json_schema()["discriminator"]["mapping"]

    assert documented == set(kinds)
    assert len(get_args(get_args(Fault)[0])) == len(kinds)


def test_each_sandbox_user_is_listed() -> None:
    """The table of sandbox users names each of them and the city."""
    for person in new_visitor().simulator.people.values():
        city = person.zone.partition("/")[2].replace("_", " ")
        assert re.search(rf"^\| {person.name} \|.*\| {city} \|", README, flags=re.MULTILINE)


def test_each_option_is_listed_with_its_default() -> None:
    """The table of options has every option of the command line, and the defaults are true."""
    table = dict(re.findall(r"^\| `(--[^|]*) \| [^|]* \| ([^|]*) \|$", README, flags=re.MULTILINE))
    listed = {name: row for row in table for name in re.findall(r"--[\w-]+", row)}
    options = vars(parse_arguments([]))

    assert {f"--{name.replace('_', '-')}" for name in options} == set(listed)
    for name, value in options.items():
        if value:
            assert str(value) in table[listed[f"--{name.replace('_', '-')}"]]


def test_the_start_command_is_valid() -> None:
    """The command line of the README is accepted."""
    assert parse_arguments(start_command()[1:]).port == 5002
