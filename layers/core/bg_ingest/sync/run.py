"""What a sync does while it holds the lease: which windows it fetches, in which order, and when it stops."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from bg_ingest.providers.errors import PersonNeeded, RequestRefused
from bg_ingest.sync import windows
from bg_ingest.sync.completeness_store import compute_days
from bg_ingest.sync.job import Counts, JobKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.accounts.quarantine import Unreadable
    from bg_ingest.clock import Clock
    from bg_ingest.providers.dexcom.responses import Span
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.sync.completeness_store import CompletenessStore
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import Lease, SyncStates

# One window of history: fetched, merged and written. Less time left than this is too little for another.
WINDOW_S_MAX = 60.0
# Then it is the next user's turn: the rest goes to the end of the queue.
SLICE_S_MAX = 30.0
# Whatever was uploaded since then is whatever there is.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Fetched(Protocol):
    """What one fetch brought: readings, and every record that is none, with the reason."""

    @property
    def readings(self) -> Iterable[Reading]:
        """The readings."""
        ...

    @property
    def rejected(self) -> Iterable[Unreadable]:
        """The others."""
        ...


class Provider(Protocol):
    """Where the readings come from."""

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """What there is of `[start, end)`."""
        ...

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """From when to when there is data that was uploaded since; None without any."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a sync reads from and writes to."""

    states: SyncStates
    jobs: Jobs
    reading_store: ReadingStore
    days: CompletenessStore
    quarantine: Callable[[str, Iterable[Unreadable]], int]  # Keeps what could not be read; how much was new.


class LeaseLost(Exception):
    """The lease or the login is somebody else's by now, who goes on from what is stored."""


@dataclass(slots=True)
class Run:
    """One sync under its lease."""

    order: Order
    lease: Lease
    stores: Stores
    provider: Provider
    clock: Clock
    time_left_s: Callable[[], float]
    counts: Counts = field(default_factory=Counts)
    counted_before: Counts = field(default_factory=Counts)  # By earlier runs of the same job.
    window: windows.Window | None = None
    data_until: datetime | None = None
    reconciled_at: datetime | None = None
    _began_with_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._began_with_s = self.time_left_s()
        self.data_until = self.lease.state.data_until

    def carry_out(self) -> Order | None:
        """Do what the order says; what is left of it when the time does not last."""
        match self.order:
            case _ if self.order.kind is JobKind.BACKFILL:
                return self._backfill()
            case _ if self.order.kind is JobKind.RECONCILE:
                return self._reconcile()
            case _ if self.order.window:
                return self._range(self.order.window)
        self._poll()
        return None

    def _poll(self) -> None:
        now = self.clock.now()
        since = now - windows.POLL_HORIZON
        known = self.stores.reading_store.instants_eventually_consistent(
            self.order.user_id, since, now + windows.AHEAD
        )
        self._store(windows.poll_window(known, now))

    def _range(self, asked: windows.Window) -> Order | None:
        for window in windows.newest_first(asked):
            if not self._fits_another():
                return replace(self.order, window=(asked[0], window[1]))
            self._store_whole_days(window)
        return None

    def _backfill(self) -> Order | None:
        # A history takes minutes, or hours when the provider is slow, and polls find the lease taken: every
        # stretch of it starts with what a poll would do, unless its own first window is that recent.
        if self.lease.state.backfill.reached < self.clock.now() - windows.AHEAD:
            self._poll()
        return self._history()

    def _history(self) -> Order | None:
        backfill, first = self.lease.state.backfill, True
        while window := windows.next_backfill_window(backfill):
            # The first always, or a provider that is slow with the poll would keep the history waiting.
            if not first and not self._fits_another():
                return self.order
            self._store_history(window)
            if not self.stores.states.advance(self.lease, window[0]):
                raise LeaseLost
            backfill, first = replace(backfill, reached=window[0]), False
        return None

    def _store_history(self, window: windows.Window) -> None:
        try:
            self._store_whole_days(window)
        except RequestRefused:
            # Perhaps older than the provider answers for: then its data begins later, and is asked for there.
            begins = self.provider.uploaded_since(self.order.user_id, _LONG_AGO)
            if begins and begins.start <= window[0]:
                raise
            if begins and begins.start < window[1]:
                self._store_whole_days((begins.start, window[1]))

    def _reconcile(self) -> Order | None:
        now, state = self.clock.now(), self.lease.state
        asked, trouble = self.order.window, None  # What an earlier stretch of the same order has left.
        if asked is None:
            span, trouble = self._uploads_unseen()
            asked = windows.reconcile_window(span.start if span else None, state.history_from, now)
        for window in windows.newest_first(asked):
            if not self._fits_another():
                return replace(self.order, window=(asked[0], window[1]))
            self._store_whole_days(window)
        if trouble:
            raise trouble
        self.reconciled_at = self.order.asked_at
        # A history whose own job got lost is taken up again by one of its own.
        return None if state.backfill.done else self.order.for_history(now)

    def _uploads_unseen(self) -> tuple[Span | None, PersonNeeded | None]:
        """What was uploaded since the last look, or why nobody can say: the last days need no answer."""
        since = windows.uploads_unseen_since(self.lease.state)
        try:
            return self.provider.uploaded_since(self.order.user_id, since), None
        except PersonNeeded as trouble:
            return None, trouble

    def _store_whole_days(self, window: windows.Window) -> None:
        self._store(window)
        state, now = self.lease.state, self.clock.now()
        first, last = window[0].date(), min(window[1], now).date()
        days = compute_days(self.stores.reading_store, state, first, last, now)
        self.stores.days.record(self.order.user_id, days)

    def _store(self, window: windows.Window) -> None:
        fetched_at = self.clock.now()
        fetched = self.provider.readings(self.order.user_id, *window)
        readings, rejected = tuple(fetched.readings), tuple(fetched.rejected)
        saved = self.stores.reading_store.save(self.order.user_id, readings, fetched_at)
        invalid = tuple(sorted(Counter(record.reason for record in rejected).items()))
        self.counts += Counts(
            len(readings) + len(rejected), saved.stored, saved.revised, saved.duplicates, invalid
        )
        # After the readings: a record that cannot be read must not keep those that can from being stored.
        self.stores.quarantine(self.order.user_id, rejected)
        self.window = _around(self.window, window)
        newest = max((reading.at for reading in readings), default=None)
        self.data_until = max(filter(None, (self.data_until, newest)), default=None)

    def _fits_another(self) -> bool:
        if self.window is None:
            return True  # One window is always tried: the client itself knows when time is too short.
        left_s = self.time_left_s()
        return left_s >= WINDOW_S_MAX and self._began_with_s - left_s < SLICE_S_MAX


def _around(known: windows.Window | None, window: windows.Window) -> windows.Window:
    return (min(known[0], window[0]), max(known[1], window[1])) if known else window
