"""A user with a Nightscout of their own, followed through all its faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.errors import ConsentRevoked
from bg_ingest.providers.nightscout.site_login import OWN_SITE
from bg_ingest.publishing.publish import events_of
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from nightscout_sim.clock import to_ms
from nightscout_sim.faults import Fault
from nightscout_sim.site import NightscoutSite
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.support.memory_stream import StreamingDynamo
from tests.support.own_sites import OwnSites

if TYPE_CHECKING:
    from bg_ingest.accounts.connection import Connection
    from bg_ingest.providers.nightscout.nightscout_provider import NightscoutProvider
    from bg_ingest.providers.seam import ProviderAccount, Tokens
    from bg_ingest.sync.job import SyncResult

HISTORY = timedelta(days=2)
FAULTS = [
    Fault("status", times=2),
    Fault("status", times=3, status=500),
    Fault("status", times=2, status=429, retry_after_s=5),
    Fault("status", times=2, status=401),
    Fault("slow", times=2, wait_s=60),
    Fault("truncated", times=2),
    Fault("html", times=2),
    Fault("redirect", times=2),
    Fault("dropped", times=3),
]


@dataclass
class SiteVault:
    """The tokens of one login, refreshed as the vault does, without tables."""

    provider: NightscoutProvider
    tokens: Tokens
    clock: FakeClock

    def valid_token(self, _: Connection, *, rejected: str | None = None) -> str | None:
        """The web token, if it is valid and not the rejected one."""
        expired = self.tokens.expires_at - timedelta(minutes=5) <= self.clock.now()
        return None if expired or self.tokens.access_token == rejected else self.tokens.access_token

    def refreshed_token(self, _: Connection, account: ProviderAccount) -> str:
        """A new web token."""
        try:
            self.tokens = self.provider.login.refresh(account, self.tokens.refresh_token)
        except ConsentRevoked:
            raise NotConnected(None) from None
        return self.tokens.access_token


@dataclass
class Followed:
    """One user and their server."""

    has_v3: bool = True
    count_max: int = 1_000_000
    clock_ahead: timedelta = timedelta(0)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.random = Random(7)  # noqa: S311 - every run must be the same.
        self.site = NightscoutSite(
            clock=self.clock,
            history_days=2,
            has_v3=self.has_v3,
            count_max=self.count_max,
            clock_ahead=self.clock_ahead,
        )
        sites = OwnSites(self.clock)
        address, token = sites.add("ns.example.org", self.site)
        self.provider = sites.provider()
        tokens = self.provider.login.check(address, token, lambda: 25.0)
        self.vault = SiteVault(self.provider, tokens, self.clock)
        memory = StreamingDynamo()
        users, readings = Table(memory, "users"), Table(memory, "readings")  # type: ignore[arg-type]  # A stand-in.
        self.memory, self.connections = memory, Connections(users, self.clock)
        self.stores = Stores(
            SyncStates(users, self.clock, 300),
            Jobs(users, self.clock),
            ReadingStore(readings, self.clock, 730),
            CompletenessStore(users, self.clock),
            lambda _, rejected: len(list(rejected)),
        )
        save_login(self.connections, "ada", OWN_SITE, b"sealed", data_from=NOON - HISTORY)
        self.stores.states.start_polling("ada", None, NOON - HISTORY)

    def sync(self, kind: JobKind = JobKind.INCREMENTAL) -> SyncResult:
        """Carry out an order."""
        providers = {self.provider.name: self.provider}
        source = partial(ConnectedProvider, self.connections, self.vault, providers)
        order = Order("ada", new_id(self.clock.now()), kind, Trigger.CONNECTION, "id")
        return sync_user(
            order, stores=self.stores, source=source, clock=self.clock, time_left_s=lambda: 110.0
        )

    def poll_for(self, minutes: int) -> None:
        """Poll every five minutes."""
        for _ in range(minutes // 5):
            self.clock.advance(300)
            self.sync()

    def served(self) -> list[tuple[datetime, int]]:
        """All stored readings."""
        found = self.stores.reading_store.between("ada", NOON - 90 * HISTORY, NOON + 90 * HISTORY)
        return [(it.reading.at, it.reading.mg_dl) for it in found]

    def shown(self) -> list[tuple[datetime, int]]:
        """All entries that the server lists."""
        self.site.entries.grow(to_ms(self.clock.now()))
        entries = reversed(self.site.entries.valid())
        return [(datetime.fromtimestamp(entry["date"] // 1000, UTC), entry["sgv"]) for entry in entries]


def published(followed: Followed) -> dict[tuple[str, str | None], int]:
    """How many readings the published events are about, by type and reason."""
    counts: dict[tuple[str, str | None], int] = {}
    for record in followed.memory.streams["readings"]:
        for event in events_of(record):
            key = (event.event_type, event.data.get("reason"))
            counts[key] = counts.get(key, 0) + event.data["count"]
    return counts


@pytest.mark.parametrize(
    "options",
    [{}, {"has_v3": False}, {"count_max": 50}, {"clock_ahead": timedelta(hours=-30)}],
    ids=["v3", "old version", "count limit", "wrong clock"],
)
def test_a_user_is_complete_after_every_misbehaviour(options: dict[str, Any]) -> None:
    """Between the faults readings are delayed; after them each entry is stored exactly once."""
    followed = Followed(**options)
    followed.sync(JobKind.BACKFILL)
    for fault in FAULTS:
        followed.site.faults.append(Fault(**vars(fault)))
        followed.poll_for(15)
    followed.site.faults.clear()
    followed.poll_for(10)

    assert followed.served() == followed.shown()
    assert published(followed) == {("bg.readings.stored", None): len(followed.shown())}


def test_edits_become_revisions_and_deletions_are_removed() -> None:
    """Each is seen by the next poll, however old the entry is, and published."""
    followed = Followed()
    followed.sync(JobKind.BACKFILL)
    listed = followed.site.entries.valid()
    edited, deleted = followed.random.sample(listed, 5), followed.random.sample(listed, 7)
    for entry in edited:
        followed.site.entries.edit(entry["_id"], {"sgv": 77}, modified_ms=followed.site.now_ms())
    for entry in deleted:
        followed.site.entries.delete(entry["_id"], modified_ms=followed.site.now_ms())
    followed.poll_for(5)

    both = len({entry["_id"] for entry in edited} & {entry["_id"] for entry in deleted})
    assert followed.served() == followed.shown()
    counts = published(followed)
    assert counts["bg.readings.removed", "deleted"] == 7
    assert counts["bg.readings.revised", None] == 5 - both
    followed.poll_for(30)
    assert published(followed)["bg.readings.removed", "deleted"] == 7


def test_an_old_deletion_is_found_by_the_reconciliation() -> None:
    """A deletion that no poll saw, because the service was away, is found by the daily comparison."""
    followed = Followed()
    followed.sync(JobKind.BACKFILL)
    followed.sync(JobKind.RECONCILE)
    entry = followed.site.entries.valid()[400]
    followed.site.entries.delete(entry["_id"], modified_ms=followed.site.now_ms())
    followed.clock.advance(20 * 3600)
    followed.sync()
    followed.sync(JobKind.RECONCILE)

    assert followed.served() == followed.shown()


def test_an_entry_that_comes_back_is_served_again() -> None:
    """An uploader that stores a deleted entry again makes it a reading again."""
    followed = Followed()
    followed.sync(JobKind.BACKFILL)
    entry = followed.site.entries.valid()[3]
    followed.site.entries.delete(entry["_id"], modified_ms=followed.site.now_ms())
    followed.poll_for(5)
    followed.site.entries.edit(entry["_id"], {"isValid": True}, modified_ms=followed.site.now_ms())
    followed.poll_for(5)

    assert followed.served() == followed.shown()


def test_two_uploaders_of_one_second_are_one_reading() -> None:
    """The copy of another device is noted, and a deletion of it takes nothing away."""
    followed = Followed()
    followed.sync(JobKind.BACKFILL)
    newest = followed.site.entries.valid()[0]
    copied = followed.site.entries.put(
        {"date": newest["date"], "sgv": newest["sgv"], "device": "share2"}, modified_ms=followed.site.now_ms()
    )
    followed.poll_for(5)
    assert len({at for at, _ in followed.shown()}) == len(followed.served()) == len(followed.shown()) - 1
    followed.site.entries.delete(copied["_id"], modified_ms=followed.site.now_ms())
    followed.poll_for(5)

    assert followed.served() == followed.shown()


def test_a_revoked_token_stops_the_polling() -> None:
    """The job says why, and nothing is fetched until the user logs in again."""
    followed = Followed()
    followed.sync(JobKind.BACKFILL)
    followed.site.tokens.roles.clear()
    result = followed.sync()

    assert result.job is not None
    assert result.job.status is JobStatus.FAILED
    state = followed.stores.states.get("ada")
    assert state is not None
    assert state.slot is None


def test_a_reading_is_stored_within_six_minutes() -> None:
    """From measured to readable at an interval of 300 s, p99 of six hours."""
    followed = Followed()
    followed.sync(JobKind.BACKFILL)
    began = followed.clock.now()
    followed.poll_for(6 * 60)
    found = followed.stores.reading_store.between("ada", began, NOON + 90 * HISTORY)
    delays_s = sorted((it.first_stored_at - it.reading.at).total_seconds() for it in found)

    assert len(delays_s) >= 71
    assert delays_s[int(len(delays_s) * 0.99)] < 360
