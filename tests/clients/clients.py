"""The eight clients: how each is run, and what it must end with."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from bg_ingest.clock import SystemClock
from tests.clients import environments
from tests.clients.environments import HERE, Environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.stack import Stack

_RUN_S_MAX = 180
_FULL_DAYS = 2


@dataclass
class ClientsWorld:
    """The running stack, a grant of its demo user, and the readings as the user's own API returns them."""

    url: str
    user_id: str
    folder: Path
    owner: httpx.Client = field(repr=False)
    readings: dict[int, int] = field(
        default_factory=dict
    )  # Values by the second of their time, oldest first.
    token: str = field(default="", repr=False)

    @classmethod
    @contextmanager
    def on(cls, stack: Stack, folder: Path) -> Iterator[ClientsWorld]:
        """Read what clients should see."""
        headers = {"Authorization": f"Bearer {stack.demo_token}"}
        with httpx.Client(base_url=stack.api, headers=headers, timeout=90, trust_env=False) as owner:
            world = cls(stack.api, stack.demo_user_id, folder, owner)
            world.read()
            yield world

    def read(self) -> None:
        """Read the user's readings of the last days, page by page."""
        since = SystemClock().now() - timedelta(days=_FULL_DAYS + 1)
        url = f"/api/bg/{self.user_id}?limit=1000&from={since:%Y-%m-%dT%H:%M:%SZ}"
        while url:
            page = self.owner.get(url).raise_for_status()
            for reading in page.json():
                self.readings[int(datetime.fromisoformat(reading["timestamp"]).timestamp())] = reading[
                    "glucose_mg_dl"
                ]
            url = page.links.get("next", {}).get("url", "")

    @contextmanager
    def granted(self) -> Iterator[None]:
        """Make a grant, and revoke it afterwards."""
        grants = f"/api/bg/{self.user_id}/grants"
        wanted = {"label": "clients", "reads": ["readings"], "days": "all"}
        made = self.owner.post(grants, json=wanted).raise_for_status().json()
        self.token = made["token"]
        try:
            yield
        finally:
            self.owner.delete(f"{grants}/{made['grant_id']}").raise_for_status()

    def must_be_shown(self, values: list[list[int]]) -> None:
        """Fail unless these are readings of the user, without a repetition and without a gap between them."""
        shown = {second: value for second, value in values if second in self.readings}
        assert len(values) - len(shown) <= 1, "values that the user does not have"  # One may be new since.
        assert len({second for second, _ in values}) == len(values), "a value is there twice"
        assert all(self.readings[second] == value for second, value in shown.items()), "another value"
        between = [second for second in self.readings if min(shown) <= second <= max(shown)]
        assert len(between) == len(shown), f"{len(between) - len(shown)} values are left out"


class Client(ABC):
    """One client."""

    name: str

    @abstractmethod
    def install(self) -> None:
        """Install the client, or raise Missing."""

    @abstractmethod
    def check(self, world: ClientsWorld) -> str:
        """Read with a valid grant, and return what was seen; AssertionError if it is wrong."""

    @abstractmethod
    def check_refused(self, world: ClientsWorld) -> str:
        """Read with a revoked grant, and return the client's own words."""


class PythonClient(Client):
    """A client that is a Python library, run by a short program in its own environment."""

    refusal: str

    def __init__(self, name: str, program: str, environment: Environment, refusal: str) -> None:
        self.name = name
        self.program = HERE / "programs" / program
        self.environment = environment
        self.refusal = refusal

    def install(self) -> None:
        """Install its environment."""
        self.environment.install()

    def check(self, world: ClientsWorld) -> str:
        """Compare its values with those of the user."""
        seen = self._run(world)
        assert "refused" not in seen, f"refused: {seen['refused']}"
        return self.compare(world, seen)

    def check_refused(self, world: ClientsWorld) -> str:
        """Expect its own word for a refusal."""
        seen = self._run(world)
        assert seen.get("refused") == self.refusal, f"it says {seen}"
        return self.refusal

    def compare(self, world: ClientsWorld, seen: dict[str, Any]) -> str:
        """Compare the values that it has read."""
        world.must_be_shown(seen["values"])
        assert len(seen["values"]) >= 10, "too few values"
        return f"{len(seen['values'])} values"

    def arguments(self, world: ClientsWorld) -> list[str]:
        """Return the arguments of its program after address and token."""
        del world
        return []

    def _run(self, world: ClientsWorld) -> dict[str, Any]:
        command = [self.environment.bin / "python", self.program, world.url, world.token]
        lines = run([*map(str, command), *self.arguments(world)], world).stdout.splitlines()
        assert lines, "it printed nothing"
        seen: dict[str, Any] = json.loads(lines[-1])
        return seen


class PyNightscout(PythonClient):
    """py-nightscout, which also types the entries and reads two other collections."""

    def compare(self, world: ClientsWorld, seen: dict[str, Any]) -> str:
        """Expect ten typed entries: it ignores its own parameters."""
        assert (seen["status"], seen["is_typed"], seen["others"]) == ("ok", True, 0)
        assert len(seen["values"]) == 10
        return super().compare(world, seen)


class PythonNightscout(PythonClient):
    """python-nightscout, with a range of time."""

    def arguments(self, world: ClientsWorld) -> list[str]:
        """Ask for a day."""
        del world
        return [_iso(timedelta(days=1))]


class CgmFormat(PythonClient):
    """cgm-format, which makes a frame of some days."""

    def arguments(self, world: ClientsWorld) -> list[str]:
        """Ask for some days."""
        return [str(_FULL_DAYS), str(world.folder)]

    def compare(self, world: ClientsWorld, seen: dict[str, Any]) -> str:
        """Expect all readings of the days, in order."""
        expected = list(world.readings.values())
        glucose = [round(value) for value in seen["glucose"]]
        assert glucose[:-1] == expected[-len(glucose) :][: len(glucose) - 1] or (
            glucose[:-2] == expected[-len(glucose) + 1 :][: len(glucose) - 2]
        ), "another series"
        assert len(glucose) >= 288, "too few rows"
        return f"{len(glucose)} rows"


class GluPredKit(PythonClient):
    """GluPredKit, which resamples some days to a row for each five minutes."""

    def arguments(self, world: ClientsWorld) -> list[str]:
        """Ask for some days."""
        newest = datetime.fromtimestamp(max(world.readings), UTC)
        start = newest - timedelta(days=_FULL_DAYS)
        return [f"{start:%Y-%m-%dT%H:%M:%S}", f"{newest:%Y-%m-%dT%H:%M:%S}"]

    def compare(self, world: ClientsWorld, seen: dict[str, Any]) -> str:
        """Expect a row for nearly each reading: two readings can fall into the same five minutes."""
        newest = max(world.readings)
        asked = [
            v for second, v in world.readings.items() if newest - _FULL_DAYS * 86_400 <= second <= newest
        ]
        assert abs(seen["rows"] - len(asked)) <= len(asked) / 10, f"{seen['rows']} rows for {len(asked)}"
        assert abs(seen["mean"] - sum(asked) / len(asked)) < 5, "another mean"
        return f"{seen['rows']} rows for {len(asked)} readings"


class HomeAssistant(PythonClient):
    """Home Assistant, whose sensor has the newest value."""

    def compare(self, world: ClientsWorld, seen: dict[str, Any]) -> str:
        """Expect the newest value, or one that is new since."""
        newest = [world.readings[second] for second in sorted(world.readings)[-3:]]
        near = any(abs(float(seen["value"]) - value) <= 30 for value in newest)
        assert near, f"{seen['value']} in place of one of {newest}"
        return f"a sensor with {seen['value']} and {seen['direction']}"


class NightscoutCli(Client):
    """nightscout-cli, a program of its own that sends the token as it is."""

    name = "nightscout-cli"
    environment = Environment("nightscout-cli")

    def install(self) -> None:
        """Install its environment."""
        self.environment.install()

    def check(self, world: ClientsWorld) -> str:
        """Expect values, and a refused upload."""
        got = self._run(world, "get", "20")
        lines = [line.split() for line in got.stdout.splitlines()]
        values = [[int(datetime.fromisoformat(each[0]).timestamp()), int(each[1])] for each in lines]
        world.must_be_shown(values)
        pushed = self._run(world, "push", "100")
        assert "401" in pushed.stderr, "the upload was not refused"
        assert pushed.returncode != 0
        return f"{len(values)} values, and the upload is refused"

    def check_refused(self, world: ClientsWorld) -> str:
        """Expect its message."""
        got = self._run(world, "get", "1")
        assert got.returncode != 0
        assert "401 Client Error" in got.stderr
        return "401 Client Error"

    def _run(self, world: ClientsWorld, *arguments: str) -> subprocess.CompletedProcess[str]:
        address = urlsplit(world.url)
        more = {
            "NIGHTSCOUT_HOST": str(address.hostname),
            "NIGHTSCOUT_PORT": str(address.port),
            "NIGHTSCOUT_API_SECRET": world.token,
        }
        return run([str(self.environment.bin / "nightscout"), *arguments], world, **more)


class Oref0(Client):
    """oref0, whose fetching program is JavaScript."""

    name = "oref0"

    def install(self) -> None:
        """Install it by npm."""
        self.programs = environments.install_oref0()

    def check(self, world: ClientsWorld) -> str:
        """Expect the entries, and then an unchanged file by `If-Modified-Since`."""
        first = self._run(world)
        rows = json.loads(first.stdout)
        world.must_be_shown([[row["date"] // 1000, row["glucose"]] for row in rows])
        (world.folder / "glucose.json").write_text(first.stdout)
        again = self._run(world)
        assert "Not Changed" in again.stderr or len(json.loads(again.stdout)) == len(rows)
        return f"{len(rows)} rows in glucose.json"

    def check_refused(self, world: ClientsWorld) -> str:
        """Expect its message, and no data."""
        (world.folder / "glucose.json").unlink(missing_ok=True)
        words = "Loading CGM data from Nightscout failed"
        assert words in self._run(world).stderr
        return words

    def _run(self, world: ClientsWorld) -> subprocess.CompletedProcess[str]:
        secret = hashlib.sha1(world.token.encode(), usedforsecurity=False).hexdigest()
        program = str(self.programs / "oref0-get-ns-entries.js")
        return run(["node", program, "glucose.json", world.url, secret, "24"], world)


CLIENTS: tuple[Client, ...] = (
    HomeAssistant("Home Assistant", "with_home_assistant.py", environments.HOME_ASSISTANT, "invalid_auth"),
    PyNightscout(
        "py-nightscout", "with_py_nightscout.py", Environment("py-nightscout"), "ClientResponseError 401"
    ),
    PythonNightscout(
        "python-nightscout", "with_python_nightscout.py", Environment("python-nightscout"), "AttributeError"
    ),
    NightscoutCli(),
    PythonClient(
        "nightscout-dash",
        "with_nightscout_dash.py",
        Environment("nightscout-dash"),
        "401 Client Error: Unauthorized",
    ),
    CgmFormat("cgm-format", "with_cgm_format.py", Environment("cgm-format"), "HTTPStatusError 401"),
    GluPredKit("GluPredKit", "with_glupredkit.py", environments.GLUPREDKIT, "AttributeError"),
    Oref0(),
)


def run(command: list[str], world: ClientsWorld, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the folder of the run, which is also its home."""
    path = os.environ["PATH"]  # noqa: TID251 - the user's PATH, which finds node.
    return subprocess.run(  # noqa: S603 - our own programs.
        command,
        cwd=world.folder,
        env={"PATH": path, "HOME": str(world.folder), "TZ": "UTC", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=_RUN_S_MAX,
    )


def _iso(ago: timedelta) -> str:
    return f"{SystemClock().now() - ago:%Y-%m-%dT%H:%M:%S.000Z}"
