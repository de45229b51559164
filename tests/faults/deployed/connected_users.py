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
from tests.faults.deployed.flaws import Due, Shown, ShownDay, as_served, flaws, only_relayed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from typing import TypeVar

    from local.stack import Stack
    from tests.faults.deployed.served_site import ServedSite

    Answer = TypeVar("Answer")

# The number of calls that the API's function serves at once.
_AT_ONCE = 3
_PATIENCE_S = 120.0
_PAGE = 1_000
_BACK = 4
_DEXCOM, _NIGHTSCOUT = "dexcom", "nightscout"
_SITE_INTERVAL_S = 60  # As those of Dexcom's users, instead of five minutes.
# Uploaders stamp a measurement some seconds later than the sensor's own app.
_RELAYED_LATE_S = 7
_RELAYED_DAYS = 4  # Longer than the backfill.
_RELAYED_MG_DL = 155


@dataclass(frozen=True, slots=True)
class ConnectedUser:
    """A user with an account at Dexcom, a Nightscout, or both."""

    user_id: str
    simulated: str | None
    site: ServedSite | None = None

    @property
    def account(self) -> str:
        """The account at Dexcom."""
        assert self.simulated is not None, "a user without Dexcom"
        return self.simulated

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the providers."""
        return (_DEXCOM,) * (self.simulated is not None) + (_NIGHTSCOUT,) * (self.site is not None)


class ConnectedUsers:
    """The users of one cloud, as seen by a service that may read and act for all of them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        headers = {"Authorization": f"Bearer {stack.service_token}"}
        self.api = httpx.Client(base_url=stack.api, headers=headers, timeout=_PATIENCE_S, trust_env=False)
        self.dexcom = httpx.Client(base_url=stack.dexcom, timeout=_PATIENCE_S, trust_env=False)
        self.all_users = [ConnectedUser(demo.USER_ID, demo.SIMULATED_PERSON)]
        self._promised: dict[str, str] = {}  # The address of a requested job that has not succeeded yet.
        self._begins: dict[str, datetime] = {}

    @property
    def at_dexcom(self) -> list[ConnectedUser]:
        """The users with an account at Dexcom."""
        return [user for user in self.all_users if user.simulated]

    @property
    def with_site(self) -> list[ConnectedUser]:
        """The users with a Nightscout; some of them have Dexcom as well."""
        return [user for user in self.all_users if user.site]

    @property
    def with_both(self) -> list[ConnectedUser]:
        """The users with both."""
        return [user for user in self.all_users if user.simulated and user.site]

    def connect(
        self, simulated: Iterable[str], relays: Sequence[ServedSite], own_sites: Sequence[ServedSite]
    ) -> None:
        """Log these users in, which queues their backfills; the last ones have one of the relays as well."""
        names = list(simulated)
        sites = [*[None] * (len(names) - len(relays)), *relays]
        new = [
            ConnectedUser(f"patient-{name.removeprefix('SandboxUser')}", name, site)
            for name, site in zip(names, sites, strict=True)
        ]
        new += [ConnectedUser(f"own-site-{number}", None, site) for number, site in enumerate(own_sites)]
        self._each(self._connect, new)

    def _connect(self, person: ConnectedUser) -> None:
        if person.simulated:
            demo.connect(self._stack.api, self._stack.service_token, person.user_id, person.simulated)
        if person.site:
            self.relay(person)
            login = {"provider": _NIGHTSCOUT, "url": person.site.address, "token": person.site.token}
            self.api.post(f"/api/bg/{person.user_id}/connection", json=login).raise_for_status()
            path = f"/api/bg/{person.user_id}/settings?provider={_NIGHTSCOUT}"
            self.api.put(path, json={"poll_interval_seconds": _SITE_INTERVAL_S}).raise_for_status()
        self.all_users.append(person)

    def relay(self, person: ConnectedUser) -> None:
        """Upload to this user's Nightscout what their sensor's provider has."""
        if person.site and person.simulated:
            now = self.provider_now()
            measured = self._had_at_dexcom(person, now - timedelta(days=_RELAYED_DAYS), now)
            person.site.relay(measured, _RELAYED_LATE_S)

    def relay_measurement(self, person: ConnectedUser) -> datetime:
        """Add a new reading at Dexcom and at the user's Nightscout; return its instant at the latter."""
        assert person.site is not None
        at = self._newest(person) + timedelta(minutes=3, seconds=40)
        self._add_at_dexcom(person, at, _RELAYED_MG_DL)
        person.site.relay([Shown(at, _RELAYED_MG_DL, "flat")], _RELAYED_LATE_S)
        return at + timedelta(seconds=_RELAYED_LATE_S)

    def serves(self, person: ConnectedUser, at: datetime) -> bool:
        """Return whether the API serves a reading of this instant."""
        return bool(self._served(person, at, at + timedelta(seconds=1)))

    def ask_for_syncs(self) -> int:
        """Request a sync of every user and return the number of accepted requests."""
        before = len(self._promised)
        self._each(self._ask_for_sync)
        return len(self._promised) - before

    def plant(self) -> int:
        """Add a new reading of every user at one of their providers, a minute after an existing one."""
        for person in self.all_users:
            at = self._newest(person) + timedelta(minutes=1)
            if person.simulated:
                self._add_at_dexcom(person, at, 133)
            elif person.site:
                person.site.add(at, 133)
        return len(self.all_users)

    def push(self, person: ConnectedUser) -> float:
        """Add a reading at the provider, send it as a webhook; return the seconds until it was readable."""
        at = self._newest(person) + timedelta(minutes=2)
        self._add_at_dexcom(person, at, 144)
        record = self._records(person, at, at + timedelta(seconds=1))[0]
        body = json.dumps({"type": "egvs.created", "data": {"records": [record]}}).encode()
        clock = SystemClock()
        headers = signed_headers(
            self._stack.webhook_secret, f"msg_{secrets.token_hex(12)}", body, clock.now()
        )
        began_s = clock.monotonic_s()
        self.api.post(f"/api/bg/{person.user_id}/webhook", content=body, headers=headers).raise_for_status()
        assert wait_until(lambda: self.serves(person, at), _PATIENCE_S)
        return clock.monotonic_s() - began_s

    def polled_since(self, at: datetime) -> int:
        """Return how many sources of users a sync has succeeded for since then."""
        succeeded = (state["last_success_at"] for state in self._states())
        return sum(text is not None and datetime.fromisoformat(text) >= at for text in succeeded)

    def unfinished(self) -> int:
        """Return the number of unfinished backfills."""
        return sum(not state["backfill"]["done"] for state in self._states())

    def due(self) -> Due:
        """Return until when every reading must be served after a fault that ends now."""
        return Due(self.provider_now(), SystemClock().now())

    def provider_now(self) -> datetime:
        """Return Dexcom's time."""
        return datetime.fromisoformat(self.dexcom.get("/_sim/clock").raise_for_status().json()["now"])

    def readings(self) -> int:
        """Return the number of served readings of all users."""
        now = SystemClock().now()
        return sum(self._each(lambda one: len(self._served(one, self._backfill_start(one), now))))

    def flawed(
        self,
        due: Due,
        published: Callable[[str], AbstractSet[datetime]] | None = None,
        people: Sequence[ConnectedUser] | None = None,
    ) -> dict[str, list[str]]:
        """Return the flaws of each user with any.

        Every reading from before `due` must be served and published.
        """
        asked = self.all_users if people is None else people
        found = self._each(lambda one: self._flaws(one, due, published and published(one.user_id)), asked)
        return {one.user_id: wrong for one, wrong in zip(asked, found, strict=True) if wrong}

    def _flaws(self, person: ConnectedUser, due: Due, published: AbstractSet[datetime] | None) -> list[str]:
        try:
            now = self.due()
            start, end = self._backfill_start(person), now.provider if person.simulated else now.own_server
            # A measurement can be at the one source before the start, and at the other after it.
            early = start - timedelta(minutes=1)
            days, served = self._days(person, start), self._served(person, early, end)
            # Fetched last, so that no served reading can be newer.
            measured = self._had_at_dexcom(person, early, end) if person.simulated else []
            relayed = person.site.shown(early, end) if person.site else []
            had = as_served([*measured, *only_relayed(relayed, measured)], served)
            served, had = ([one for one in shown if one.at >= start] for shown in (served, had))
            until = due.provider if person.simulated else due.own_server
            wrong = flaws(served, had, days, until, published)
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
            states = [self._state(person, provider) for provider in person.providers]
            begun = max(datetime.fromisoformat(state["backfill"]["from"]) for state in states)
            self._begins[person.user_id] = begun.replace(second=0) + timedelta(minutes=1)
        return self._begins[person.user_id]

    def close(self) -> None:
        """Close the connections."""
        self.api.close()
        self.dexcom.close()

    def _states(self) -> list[dict[str, Any]]:
        """Return the state of each source of each user."""
        states = self._each(lambda one: [self._state(one, provider) for provider in one.providers])
        return [state for of_one in states for state in of_one]

    def _state(self, person: ConnectedUser, provider: str) -> dict[str, Any]:
        path = f"/api/bg/{person.user_id}/sync?provider={provider}"
        state: dict[str, Any] = self.api.get(path).raise_for_status().json()
        return state

    def _newest(self, person: ConnectedUser) -> datetime:
        """Return the instant of one of the newest served readings."""
        path = f"/api/bg/{person.user_id}?order=desc&limit={_BACK}"
        newest = self.api.get(path).raise_for_status().json()
        return datetime.fromisoformat(newest[-1]["timestamp"])

    def _add_at_dexcom(self, person: ConnectedUser, at: datetime, mg_dl: int) -> None:
        reading = {"system_time": _written(at), "value": mg_dl}
        self.dexcom.post(f"/_sim/users/{person.account}/readings", json=reading).raise_for_status()

    def _had_at_dexcom(self, person: ConnectedUser, start: datetime, end: datetime) -> list[Shown]:
        return [
            Shown(datetime.fromisoformat(it["systemTime"]), it["value"], it["trend"])
            for it in self._records(person, start, end)
        ]

    def _records(self, person: ConnectedUser, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return the provider's records of `[start, end)`."""
        token = login(self.dexcom, person.account).access_token
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
            return list(threads.map(do, list(self.all_users if people is None else people)))


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _day(day: dict[str, Any]) -> ShownDay:
    gaps = tuple(
        (datetime.fromisoformat(gap["from"]), datetime.fromisoformat(gap["to"])) for gap in day["gaps"]
    )
    return ShownDay(date.fromisoformat(day["date"]), day["received"] + day["late"], gaps)
