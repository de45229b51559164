"""The connected users of the deployed stack, compared with the provider's data."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.clock import SystemClock
from local import demo
from local.waiting import wait_until
from local.webhook_sender import signed_headers
from tests.e2e.at_dexcom import login
from tests.faults.deployed.flaws import Shown, ShownDay, flaws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from typing import TypeVar

    from local.stack import Stack

    Answer = TypeVar("Answer")

# The number of calls that the API's function serves at once.
_AT_ONCE = 3
_PATIENCE_S = 120.0
_PAGE = 1_000
_BACK = 4


@dataclass(frozen=True, slots=True)
class ConnectedUser:
    """A user and their account at the provider."""

    user_id: str
    simulated: str


class ConnectedUsers:
    """The users of one cloud, as seen by a service that may read and act for all of them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        headers = {"Authorization": f"Bearer {stack.service_token}"}
        self.api = httpx.Client(base_url=stack.api, headers=headers, timeout=_PATIENCE_S, trust_env=False)
        self.dexcom = httpx.Client(base_url=stack.dexcom, timeout=_PATIENCE_S, trust_env=False)
        self.everybody = [ConnectedUser(demo.USER_ID, demo.SIMULATED_PERSON)]
        self._promised: dict[str, str] = {}  # The address of a requested job that has not succeeded yet.
        self._begins: dict[str, datetime] = {}

    def connect(self, simulated: Iterable[str]) -> None:
        """Log these users in, which queues their backfills."""
        new = [ConnectedUser(f"patient-{name.removeprefix('SandboxUser')}", name) for name in simulated]
        self._each(
            lambda one: demo.connect(self._stack.api, self._stack.service_token, one.user_id, one.simulated),
            new,
        )
        self.everybody += new

    def ask_for_syncs(self) -> int:
        """Request a sync of every user and return the number of accepted requests."""
        before = len(self._promised)
        self._each(self._ask_for_sync)
        return len(self._promised) - before

    def plant(self) -> int:
        """Add a new reading of every user at the provider, a minute after an existing one."""
        for person in self.everybody:
            path = f"/api/bg/{person.user_id}?order=desc&limit={_BACK}"
            newest = self.api.get(path).raise_for_status().json()
            at = datetime.fromisoformat(newest[-1]["timestamp"]) + timedelta(minutes=1)
            reading = {"system_time": _written(at), "value": 133}
            self.dexcom.post(f"/_sim/users/{person.simulated}/readings", json=reading).raise_for_status()
        return len(self.everybody)

    def push(self, person: ConnectedUser) -> float:
        """Add a reading at the provider, send it as a webhook; return the seconds until it was readable."""
        newest = self.api.get(f"/api/bg/{person.user_id}?order=desc&limit={_BACK}").raise_for_status().json()
        at = datetime.fromisoformat(newest[-1]["timestamp"]) + timedelta(minutes=2)
        reading = {"system_time": _written(at), "value": 144}
        self.dexcom.post(f"/_sim/users/{person.simulated}/readings", json=reading).raise_for_status()
        record = self._records(person, at, at + timedelta(seconds=1))[0]
        body = json.dumps({"type": "egvs.created", "data": {"records": [record]}}).encode()
        clock = SystemClock()
        headers = signed_headers(
            self._stack.webhook_secret, f"msg_{secrets.token_hex(12)}", body, clock.now()
        )
        began_s = clock.monotonic_s()
        self.api.post(f"/api/bg/{person.user_id}/webhook", content=body, headers=headers).raise_for_status()

        def is_readable() -> bool:
            return bool(self._served(person, at, at + timedelta(seconds=1)))

        assert wait_until(is_readable, _PATIENCE_S)
        return clock.monotonic_s() - began_s

    def polled_since(self, at: datetime) -> int:
        """Return how many users a sync has succeeded for since then."""
        succeeded = (state["last_success_at"] for state in self._each(self._state))
        return sum(text is not None and datetime.fromisoformat(text) >= at for text in succeeded)

    def unfinished(self) -> int:
        """Return the number of unfinished backfills."""
        return sum(not state["backfill"]["done"] for state in self._each(self._state))

    def provider_now(self) -> datetime:
        """Return the provider's time."""
        return datetime.fromisoformat(self.dexcom.get("/_sim/clock").raise_for_status().json()["now"])

    def readings(self) -> int:
        """Return the number of served readings of all users."""
        now = SystemClock().now()
        return sum(self._each(lambda one: len(self._served(one, self._backfill_start(one), now))))

    def flawed(
        self,
        due: datetime,
        published: Callable[[str], AbstractSet[datetime]] | None = None,
        people: Sequence[ConnectedUser] | None = None,
    ) -> dict[str, list[str]]:
        """Return the flaws of each user with any.

        Every reading from before `due` must be served and published.
        """
        asked = self.everybody if people is None else people
        found = self._each(lambda one: self._flaws(one, due, published and published(one.user_id)), asked)
        return {one.user_id: wrong for one, wrong in zip(asked, found, strict=True) if wrong}

    def _flaws(
        self, person: ConnectedUser, due: datetime, published: AbstractSet[datetime] | None
    ) -> list[str]:
        try:
            start, end = self._backfill_start(person), self.provider_now()
            days, served = self._days(person, start), self._served(person, start, end)
            # Fetched last, so that no served reading can be newer.
            wrong = flaws(served, self._had(person, start, end), days, due, published)
            return wrong + ["promised and not done"] * self._has_unfinished_sync(person)
        except httpx.HTTPError as error:
            return [f"not answered: {type(error).__name__}"]

    def _served(self, person: ConnectedUser, start: datetime, end: datetime) -> list[Shown]:
        """Return every page of the API's readings of `[start, end)`."""
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

    def _backfill_start(self, person: ConnectedUser) -> datetime:
        """Return the start of this user's backfill, to the full minute."""
        if person.user_id not in self._begins:
            begun = datetime.fromisoformat(self._state(person)["backfill"]["from"])
            self._begins[person.user_id] = begun.replace(second=0) + timedelta(minutes=1)
        return self._begins[person.user_id]

    def close(self) -> None:
        """Close the connections."""
        self.api.close()
        self.dexcom.close()

    def _state(self, person: ConnectedUser) -> dict[str, Any]:
        state: dict[str, Any] = self.api.get(f"/api/bg/{person.user_id}/sync").raise_for_status().json()
        return state

    def _had(self, person: ConnectedUser, start: datetime, end: datetime) -> list[Shown]:
        return [
            Shown(datetime.fromisoformat(it["systemTime"]), it["value"], it["trend"])
            for it in self._records(person, start, end)
        ]

    def _records(self, person: ConnectedUser, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return the provider's records of `[start, end)`."""
        token = login(self.dexcom, person.simulated).access_token
        asked = {"startDate": f"{start:%Y-%m-%dT%H:%M:%S}", "endDate": f"{end:%Y-%m-%dT%H:%M:%S}"}
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.dexcom.get("/v3/users/self/egvs", params=asked, headers=headers).raise_for_status()
        records: list[dict[str, Any]] = answer.json()["records"]
        return records

    def _days(self, person: ConnectedUser, start: datetime) -> list[ShownDay]:
        today = SystemClock().now().date()
        path = f"/api/bg/{person.user_id}/completeness?from={start:%Y-%m-%d}&to={today}"
        return [_day(it) for it in self.api.get(path).raise_for_status().json()["days"]]

    def _has_unfinished_sync(self, person: ConnectedUser) -> bool:
        """Return whether a requested sync of this user has not succeeded yet."""
        for where in [where for where, owner in self._promised.items() if owner == person.user_id]:
            if self.api.get(where).raise_for_status().json()["status"] == "succeeded":
                del self._promised[where]
        return person.user_id in self._promised.values()

    def _ask_for_sync(self, person: ConnectedUser) -> None:
        answer = self.api.post(f"/api/bg/{person.user_id}/sync", headers={"Prefer": "respond-async"})
        if answer.status_code == httpx.codes.ACCEPTED:
            self._promised[answer.headers["Location"]] = person.user_id

    def _each(
        self, do: Callable[[ConnectedUser], Answer], people: Sequence[ConnectedUser] | None = None
    ) -> list[Answer]:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(do, self.everybody if people is None else people))


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _day(day: dict[str, Any]) -> ShownDay:
    gaps = tuple(
        (datetime.fromisoformat(gap["from"]), datetime.fromisoformat(gap["to"])) for gap in day["gaps"]
    )
    return ShownDay(date.fromisoformat(day["date"]), day["received"] + day["late"], gaps)
