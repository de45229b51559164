"""One user, real stores on in-memory tables, and a simulated provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import Connections
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from tests.simulation.provider import DAY, Known, SimulatedProvider
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.third_provider import THIRD, ThirdProvider, UserIdTokens
from tests.support.turns import endless_turn, under_lease

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bg_ingest.providers.seam import Endpoint, Rejected
    from bg_ingest.sync.job import SyncResult
    from bg_ingest.sync.run import Source, SourceOf


@dataclass
class SyncStage:
    """A user who connected at noon, with a history of thirty days."""

    known: list[Known] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    calls: int = 0
    time_left_s: float = 110.0
    quarantined: list[str] = field(default_factory=list)
    endpoint: Endpoint = THIRD

    def __post_init__(self) -> None:
        self.memory = MemoryDynamo()
        users, readings = Table(self.memory, "users"), Table(self.memory, "readings")  # type: ignore[arg-type]  # A stand-in.
        states = SyncStates(users, self.clock)
        self.stores = Stores(
            states,
            Jobs(users, self.clock),
            ReadingStore(readings, self.clock, 730),
            CompletenessStore(users, self.clock),
            self._quarantine,
        )
        self.provider = SimulatedProvider(self.clock, self._called, Random(1), {"ada": self.known})  # noqa: S311 - reproducible.
        self.connections = Connections(users, self.clock)
        save_login(self.connections, "ada", self.endpoint, b"sealed", data_from=NOON - 30 * DAY)
        states.start_polling("ada", None, NOON - 30 * DAY)

    def _quarantine(self, _: str, rejected: Iterable[Rejected]) -> int:
        before = len(self.quarantined)
        self.quarantined += [record.reason for record in rejected]
        return len(self.quarantined) - before

    def _called(self) -> None:
        self.calls += 1

    def order(self, kind: JobKind = JobKind.INCREMENTAL, trigger: Trigger = Trigger.SCHEDULE) -> Order:
        """A new order for the user."""
        return Order("ada", new_id(self.clock.now()), kind, trigger, "id")

    def source(self) -> ConnectedProvider:
        """The user's provider, as a sync sees it."""
        return ConnectedProvider(
            self.connections, UserIdTokens(), self.providers, endless_turn(), lambda: self.time_left_s
        )

    @property
    def source_of(self) -> SourceOf:
        """Makes the user's provider for a turn."""
        return partial(ConnectedProvider, self.connections, UserIdTokens(), self.providers)

    @property
    def providers(self) -> dict[str, ThirdProvider]:
        """The providers that the user can be connected to."""
        third = ThirdProvider(self.provider)
        return {third.name: third, "dexcom": third}

    def sync(
        self, order: Order | None = None, source: Source | None = None, *, leased: bool = False
    ) -> SyncResult:
        """Run an order, by default a poll; with `leased` also a poll takes the lease."""
        source_of: SourceOf = (lambda *_: source) if source else self.source_of
        return sync_user(
            order or self.order(),
            stores=self.stores,
            source=under_lease(source_of) if leased else source_of,
            clock=self.clock,
            time_left_s=lambda: self.time_left_s,
        )

    def stored(self) -> set[datetime]:
        """The instants of all stored readings."""
        now = self.clock.now()
        return {it.reading.at for it in self.stores.reading_store.between("ada", now - 200 * DAY, now + DAY)}

    def missing(self) -> list[datetime]:
        """The instants that the provider serves and that are not stored."""
        stored = self.stored()
        return [known.at for known in self.provider.visible("ada") if known.at not in stored]


def seen_at_once(instants: Iterable[datetime]) -> list[Known]:
    """Readings that are uploaded when they are measured."""
    return [Known(at, at, 100, None) for at in instants]
