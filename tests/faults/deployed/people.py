"""Everybody who is connected: asked for through the API, and compared with what the provider has of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.clock import SystemClock
from local import demo
from tests.e2e.at_dexcom import login
from tests.faults.deployed.judged import Shown, ShownDay, flaws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from typing import TypeVar

    from local.stack import Stack

    Answer = TypeVar("Answer")

# As many as the front lets act at once.
_AT_ONCE = 3
_PATIENCE_S = 120.0
_PAGE = 1_000
_BACK = 4


@dataclass(frozen=True, slots=True)
class Person:
    """A user, and who they are at the provider."""

    user_id: str
    simulated: str


class People:
    """The people of one cloud, as a service sees them that may read and act for everybody."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        headers = {"Authorization": f"Bearer {stack.service_token}"}
        self.api = httpx.Client(base_url=stack.api, headers=headers, timeout=_PATIENCE_S, trust_env=False)
        self.dexcom = httpx.Client(base_url=stack.dexcom, timeout=_PATIENCE_S, trust_env=False)
        self.everybody = [Person(demo.USER_ID, demo.SIMULATED_PERSON)]
        self._promised: dict[str, str] = {}  # Whose job, by its address, until it is done.
        self._begins: dict[str, datetime] = {}

    def connect(self, simulated: Iterable[str]) -> None:
        """Log these people in; their histories are fetched from now on."""
        new = [Person(f"patient-{name.removeprefix('SandboxUser')}", name) for name in simulated]
        self._each(
            lambda one: demo.connect(self._stack.api, self._stack.service_token, one.user_id, one.simulated),
            new,
        )
        self.everybody += new

    def ask_for_syncs(self) -> int:
        """Ask for a sync of everybody; how many were promised one."""
        before = len(self._promised)
        self._each(self._ask_for_sync)
        return len(self._promised) - before

    def plant(self) -> int:
        """A new reading of everybody at the provider, a minute after one of the newest: no other is there."""
        for person in self.everybody:
            path = f"/api/bg/{person.user_id}?order=desc&limit={_BACK}"
            newest = self.api.get(path).raise_for_status().json()
            at = datetime.fromisoformat(newest[-1]["timestamp"]) + timedelta(minutes=1)
            reading = {"system_time": _written(at), "value": 133}
            self.dexcom.post(f"/_sim/users/{person.simulated}/readings", json=reading).raise_for_status()
        return len(self.everybody)

    def unfinished(self) -> int:
        """How many histories are not all there yet."""
        return sum(not state["backfill"]["done"] for state in self._each(self._state))

    def now_there(self) -> datetime:
        """The provider's time."""
        return datetime.fromisoformat(self.dexcom.get("/_sim/clock").raise_for_status().json()["now"])

    def readings(self) -> int:
        """How many readings of everybody are served."""
        now = SystemClock().now()
        return sum(self._each(lambda one: len(self._served(one, self._begin(one), now))))

    def flawed(
        self,
        due: datetime,
        told: Callable[[str], AbstractSet[datetime]] | None = None,
        people: Sequence[Person] | None = None,
    ) -> dict[str, list[str]]:
        """Who is not whole, and why: all that the provider had before `due` has to be there, and told."""
        asked = self.everybody if people is None else people
        found = self._each(lambda one: self._flaws(one, due, told and told(one.user_id)), asked)
        return {one.user_id: wrong for one, wrong in zip(asked, found, strict=True) if wrong}

    def _flaws(self, person: Person, due: datetime, told: AbstractSet[datetime] | None) -> list[str]:
        try:
            start, end = self._begin(person), self.now_there()
            days, served = self._days(person, start), self._served(person, start, end)
            # Last, so that nothing can be served that it does not have yet.
            wrong = flaws(served, self._had(person, start, end), days, due, told)
            return wrong + ["promised and not done"] * self._waits(person)
        except httpx.HTTPError as error:
            return [f"not answered: {type(error).__name__}"]

    def _served(self, person: Person, start: datetime, end: datetime) -> list[Shown]:
        """Every page of what the API has of `[start, end)`."""
        path = f"/api/bg/{person.user_id}?from={_written(start)}&to={_written(end)}&limit={_PAGE}"
        shown: list[Shown] = []
        while path:
            answer = self.api.get(path).raise_for_status()
            shown += [
                Shown(datetime.fromisoformat(it["timestamp"]), it["glucose_mg_dl"], it["trend"])
                for it in answer.json()
            ]
            path = answer.links.get("next", {}).get("url", "")
        return shown

    def _begin(self, person: Person) -> datetime:
        """From when on this person's history is wanted, to the full minute."""
        if person.user_id not in self._begins:
            begun = datetime.fromisoformat(self._state(person)["backfill"]["from"])
            self._begins[person.user_id] = begun.replace(second=0) + timedelta(minutes=1)
        return self._begins[person.user_id]

    def close(self) -> None:
        """Hang up."""
        self.api.close()
        self.dexcom.close()

    def _state(self, person: Person) -> dict[str, Any]:
        state: dict[str, Any] = self.api.get(f"/api/bg/{person.user_id}/sync").raise_for_status().json()
        return state

    def _had(self, person: Person, start: datetime, end: datetime) -> list[Shown]:
        token = login(self.dexcom, person.simulated).access_token
        asked = {"startDate": f"{start:%Y-%m-%dT%H:%M:%S}", "endDate": f"{end:%Y-%m-%dT%H:%M:%S}"}
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.dexcom.get("/v3/users/self/egvs", params=asked, headers=headers).raise_for_status()
        return [
            Shown(datetime.fromisoformat(it["systemTime"]), it["value"], it["trend"])
            for it in answer.json()["records"]
        ]

    def _days(self, person: Person, start: datetime) -> list[ShownDay]:
        today = SystemClock().now().date()
        path = f"/api/bg/{person.user_id}/completeness?from={start:%Y-%m-%d}&to={today}"
        return [_day(it) for it in self.api.get(path).raise_for_status().json()["days"]]

    def _waits(self, person: Person) -> bool:
        """Whether somebody was promised a sync of this person that has not succeeded yet."""
        for where in [where for where, owner in self._promised.items() if owner == person.user_id]:
            if self.api.get(where).raise_for_status().json()["status"] == "succeeded":
                del self._promised[where]
        return person.user_id in self._promised.values()

    def _ask_for_sync(self, person: Person) -> None:
        answer = self.api.post(f"/api/bg/{person.user_id}/sync", headers={"Prefer": "respond-async"})
        if answer.status_code == httpx.codes.ACCEPTED:
            self._promised[answer.headers["Location"]] = person.user_id

    def _each(self, do: Callable[[Person], Answer], people: Sequence[Person] | None = None) -> list[Answer]:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(do, self.everybody if people is None else people))


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _day(told: dict[str, Any]) -> ShownDay:
    gaps = tuple(
        (datetime.fromisoformat(gap["from"]), datetime.fromisoformat(gap["to"])) for gap in told["gaps"]
    )
    return ShownDay(date.fromisoformat(told["date"]), told["received"], gaps)
