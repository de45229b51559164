"""The work of one sync: which windows it fetches, in which order, and when it stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from bg_ingest.clock import rfc_3339
from bg_ingest.providers.errors import PersonNeeded, RequestRefused
from bg_ingest.providers.seam import Rejected
from bg_ingest.sync import windows
from bg_ingest.sync.completeness_store import compute_days
from bg_ingest.sync.job import Counts, JobKind
from bg_ingest.sync.windows import Covered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import Fetched, Span
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.sync.completeness_store import CompletenessStore
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncStates, Turn

# One window of history: fetched, merged and written. With less time left than this none is started.
WINDOW_S_MAX = 60.0
# After this time the rest goes to the end of the queue, so that other users get their turn.
SLICE_S_MAX = 30.0
# "Uploaded since" this instant means everything.
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Source(Protocol):
    """Where one sync gets its readings from."""

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """All readings measured in `[start, end)`."""
        ...

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """The span of readings uploaded since then; None without any."""
        ...


# Makes the source of one sync, from its turn and the time that is left for a call.
SourceOf = Callable[["Turn", Callable[[], float]], Source]


@dataclass(frozen=True, slots=True)
class Stores:
    """What a sync reads from and writes to."""

    states: SyncStates
    jobs: Jobs
    reading_store: ReadingStore
    completeness: CompletenessStore
    quarantine: Callable[
        [str, Iterable[Rejected]], int
    ]  # Stores rejected records; returns how many were new.

    def save(self, user_id: str, fetched: Fetched, fetched_at: datetime) -> Counts:
        """Store and count the records of one fetch or one webhook."""
        saved = self.reading_store.save(user_id, fetched.readings, fetched_at)
        if fetched.removed:
            self.reading_store.remove_deleted(user_id, fetched.removed, fetched_at)
        set_aside = [Rejected(one.reason, _as_record(one.reading)) for one in saved.set_aside]
        rejected = [*fetched.rejected, *set_aside]
        # After the readings: a rejected record must not keep the good ones from being stored.
        if rejected:
            self.quarantine(user_id, rejected)
        records = len(fetched.readings) + len(fetched.rejected)
        invalid = tuple(sorted(Counter(one.reason for one in rejected).items()))
        return Counts(records, saved.stored, saved.revised, saved.duplicates, invalid)


def _as_record(reading: Reading) -> dict[str, Any]:
    """A reading as an operator sees it in the quarantine."""
    return asdict(reading) | {"at": rfc_3339(reading.at)}


class LeaseLost(Exception):
    """Another process holds the lease, or the user has logged in again; it continues from what is stored."""


class LeaseNeeded(Exception):
    """A poll without the lease needs it, to refresh tokens. It has fetched nothing yet."""


@dataclass(slots=True)
class Run:
    """One sync."""

    order: Order
    turn: Turn
    stores: Stores
    source_of: SourceOf
    clock: Clock
    time_left_s: Callable[[], float]  # Until this process is ended.
    counts: Counts = field(default_factory=Counts)
    counted_before: Counts = field(default_factory=Counts)  # By earlier runs of the same job.
    window: windows.Window | None = None
    covered: Covered | None = None  # What a finished poll leaves for the next one.
    data_until: datetime | None = None
    provider: str | None = None  # It has answered.
    fresh_at: datetime | None = None  # All that the provider had then is stored, back to the oldest gap.
    reconciled_at: datetime | None = None
    source: Source = field(init=False)
    _began_with_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.source = self.source_of(self.turn, self._time_left_for_calls_s)
        self._began_with_s = self.time_left_s()
        self.data_until = self.turn.state.data_until

    def carry_out(self) -> Order | None:
        """Do what the order says; returns an order for the rest if the time was too short."""
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
        window = self._poll_window(now)
        fetched = self._store(window)
        self.fresh_at = now
        # What a relay polls for may come from the sensor's own provider, so its own readings show too little.
        if not self.turn.state.relays and not self.counts.invalid:
            self.covered = Covered.after_poll(window, (reading.at for reading in fetched))

    def _poll_window(self, now: datetime) -> windows.Window:
        covered = self.turn.state.covered
        if covered:
            return windows.window_after(covered, now)
        # What a relay has is not here yet for the sensor's own provider, whose version replaces it.
        known = self.stores.reading_store.instants_eventually_consistent(
            self.order.user_id,
            now - windows.POLL_HORIZON,
            now + windows.AHEAD,
            relayed=self.turn.state.relays,
        )
        return windows.poll_window(known, now)

    def _range(self, asked: windows.Window) -> Order | None:
        for window in windows.newest_first(asked):
            if not self._has_time_for_another():
                return replace(self.order, window=(asked[0], window[1]))
            self._store_whole_days(window)
        return None

    def _backfill(self) -> Order | None:
        # A history takes minutes, or hours with a slow provider, and polls find the lease taken meanwhile.
        # So each run of it starts with a poll, unless its own first window is that recent.
        if self.turn.state.backfill.reached < self.clock.now() - windows.AHEAD:
            self._poll()
        return self._history()

    def _history(self) -> Order | None:
        backfill, first = self.turn.state.backfill, True
        while window := windows.next_backfill_window(backfill):
            # The first window is always fetched, or a provider with slow polls would stall the history.
            if not first and not self._has_time_for_another():
                return self.order
            self._store_history(window)
            extended = self.stores.states.advance(self.turn, window[0])
            if extended is None:
                raise LeaseLost
            self.turn = extended
            backfill, first = replace(backfill, reached=window[0]), False
        return None

    def _store_history(self, window: windows.Window) -> None:
        try:
            self._store_whole_days(window)
        except RequestRefused:
            # The window may be older than what the provider keeps. If so, fetch the part that it does keep.
            oldest = self.source.uploaded_since(self.order.user_id, _LONG_AGO)
            if oldest and oldest.start <= window[0]:
                raise
            if oldest and oldest.start < window[1]:
                self._store_whole_days((oldest.start, window[1]))

    def _reconcile(self) -> Order | None:
        now, state = self.clock.now(), self.turn.state
        asked, error = self.order.window, None  # A window here is the rest of an earlier run of this order.
        if asked is None:
            span, error = self._uploads_unseen()
            asked = windows.reconcile_window(span.start if span else None, state.history_from, now)
        for window in windows.newest_first(asked):
            if not self._has_time_for_another():
                return replace(self.order, window=(asked[0], window[1]))
            self._store_whole_days(window)
            if window[1] > now:
                self.fresh_at = now
        if error:
            raise error
        self.reconciled_at = self.order.requested_at
        # If the history's own job was lost, a new one continues it.
        return None if state.backfill.done else self.order.for_history(now)

    def _uploads_unseen(self) -> tuple[Span | None, PersonNeeded | None]:
        """What was uploaded since the last reconciliation; an error waits until the last days are stored."""
        since = windows.uploads_unseen_since(self.turn.state)
        try:
            return self.source.uploaded_since(self.order.user_id, since), None
        except PersonNeeded as error:
            return None, error

    def _store_whole_days(self, window: windows.Window) -> None:
        self._store(window)
        state, now = self.turn.state, self.clock.now()
        first, last = window[0].date(), min(window[1], now).date()
        # The first source has followed the user for longer than a further one.
        states = self.stores.states.of_user(state.user_id) if state.source else [state]
        days = compute_days(self.stores.reading_store, states, first, last, now)
        self.stores.completeness.save(self.order.user_id, days)

    def _store(self, window: windows.Window) -> Sequence[Reading]:
        fetched_at = self.clock.now()
        fetched = self.source.readings(self.order.user_id, *window)
        self.counts += self.stores.save(self.order.user_id, fetched, fetched_at)
        self.window, self.provider = _around(self.window, window), fetched.provider
        newest = max((reading.at for reading in fetched.readings), default=None)
        self.data_until = max(filter(None, (self.data_until, newest)), default=None)
        return fetched.readings

    def _time_left_for_calls_s(self) -> float:
        """Until this process is ended or its lease does, whichever comes first."""
        # After a pause another process may hold the lease, and use the refresh token.
        return min(self.time_left_s(), self.turn.left_s(self.clock.now()))

    def _has_time_for_another(self) -> bool:
        if self.window is None:
            return True  # One window is always tried: the HTTP client itself knows when time is too short.
        left_s = self.time_left_s()
        return left_s >= WINDOW_S_MAX and self._began_with_s - left_s < SLICE_S_MAX


def _around(known: windows.Window | None, window: windows.Window) -> windows.Window:
    return (min(known[0], window[0]), max(known[1], window[1])) if known else window
