from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from dexcom_sim.faults.kinds import Fault
from tests.simulators.dexcom.visitor import arrived

README = (Path(__file__).parents[3] / "simulators" / "dexcom" / "README.md").read_text(encoding="utf-8")
CURLS = [line for line in README.splitlines() if line.startswith("curl ")]
VARIABLES = {"$DEXCOM": "", "$SIM": "/_sim", "$JSON": "content-type: application/json"}


def request_of(line: str) -> dict[str, Any]:
    """What curl would send, as arguments for httpx."""
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


@pytest.mark.parametrize("line", CURLS)
def test_every_command_works(line: str) -> None:
    """Each curl line, typed into a fresh simulator, succeeds."""
    answer = arrived().client.request(**request_of(line))

    assert answer.status_code in {200, 201, 302}, answer.text


def test_every_fault_is_explained() -> None:
    """There is a curl line for each kind of fault, and none for a kind that does not exist."""
    documented = set(re.findall(r"""-d '\{"kind": "(\w+)\"""", README))
    kinds = TypeAdapter(Fault).json_schema()["discriminator"]["mapping"]

    assert documented == set(kinds)
    assert len(get_args(get_args(Fault)[0])) == len(kinds)


def test_the_example_for_tests_runs() -> None:
    """The Python block does what it says."""
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 1

    exec(compile(blocks[0], "simulators/dexcom/README.md", "exec"), {})  # noqa: S102 - it is our own documentation.


def test_everyone_is_introduced() -> None:
    """The table of people names each of them and where they live."""
    for person in arrived().world.people.values():
        city = person.zone.partition("/")[2].replace("_", " ")
        assert re.search(rf"^\| {person.name} \|.*\| {city} \|", README, flags=re.MULTILINE)
