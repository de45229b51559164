"""Polls that take no lease: they name the fence that they have read, and never refresh tokens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import Unavailable
from bg_ingest.sync.dispatching.poll_stretch import PollStretch
from bg_ingest.sync.job import JobKind, JobStatus, SyncResult, Trigger
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.state import Busy, Superseded, Turn
from tests.simulation.provider import HOUR
from tests.support.fakes import NOON
from tests.unit.sync.stage import SyncStage, seen_at_once
from tests.unit.sync.test_covered_polls import RecordingSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.providers.seam import Fetched, Span
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.run import Source
    from bg_ingest.sync.state import SyncState

_CAUSE = "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b"
_NEW = [NOON + number * HOUR / 12 for number in range(3)]
_LAST_DAY = [NOON - number * HOUR / 12 for number in range(1, 300)]


@pytest.fixture
def stage() -> SyncStage:
    """A user who was polled a quarter of an hour ago; three readings are new."""
    stage = SyncStage(seen_at_once(_NEW + _LAST_DAY))
    stage.clock.advance(-60)
    stage.sync(_poll(stage))
    stage.clock.advance(900)
    return stage


def _poll(stage: SyncStage) -> Order:
    return replace(stage.order(), correlation_id=_CAUSE)


def _state(stage: SyncStage) -> SyncState:
    state = stage.stores.states.get("ada")
    assert state
    return state


def _status(stage: SyncStage, order: Order) -> JobStatus:
    job = JobHistory(stage.stores.jobs, stage.stores.states).get("ada", order.job_id)
    assert job
    return job.status


@dataclass
class Meanwhile:
    """The user's provider; something else happens before the first answer arrives."""

    source: Source
    action: Callable[[], object]
    happened: list[object] = field(default_factory=list)

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """The answer."""
        fetched = self.source.readings(user_id, start, end)
        if not self.happened:
            self.happened.append(self.action())
        return fetched

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """The answer."""
        return self.source.uploaded_since(user_id, since)


def test_a_poll_writes_its_hours_and_its_outcome(stage: SyncStage) -> None:
    """A poll with nothing to explain has a record in the sync item and no item of its own."""
    before = stage.memory.writes
    result = stage.sync(_poll(stage))

    assert result.counts
    assert result.counts.stored == 3
    assert stage.memory.writes - before == 2  # Readings of one hour, 12:00 to 12:10.
    assert _state(stage).last_attempt_at == _state(stage).last_success_at == stage.clock.now()


def test_two_polls_at_once_store_each_reading_once(stage: SyncStage) -> None:
    """The later end is refused: that job gets an item, and nothing of the other's outcome is lost."""
    slow, quick = _poll(stage), _poll(stage)
    second = Meanwhile(stage.source(), lambda: stage.sync(quick))
    first = stage.sync(slow, second)

    (other,) = second.happened
    assert isinstance(other, SyncResult)
    assert first.counts
    assert other.counts
    assert (first.counts.stored, other.counts.stored) == (0, 3)
    assert set(_NEW) <= stage.stored()
    assert {_status(stage, slow), _status(stage, quick)} == {JobStatus.SUCCEEDED}
    items = [sk for _, sk in stage.memory.tables["users"] if sk.startswith("job#")]
    assert items == [f"job#{slow.job_id}"]
    assert len(stage.stores.jobs.quiet_polls_of(_state(stage))) == 2  # The fixture's poll, and the quick one.


@pytest.mark.parametrize("kind", [JobKind.BACKFILL, JobKind.RECONCILE, JobKind.INCREMENTAL])
def test_a_sync_with_the_lease_does_not_wait_for_a_poll(stage: SyncStage, kind: JobKind) -> None:
    """The poll's end is refused, so it leaves no gaps, and does not free the lease of the other."""
    poll, other = _poll(stage), stage.order(kind, Trigger.API)
    took: list[object] = []
    stage.sync(poll, Meanwhile(stage.source(), lambda: took.append(stage.stores.states.take(other))))

    (turn,) = took
    assert isinstance(turn, Turn)
    state = _state(stage)
    assert state.running
    assert state.running.order.job_id == other.job_id
    assert set(_NEW) <= stage.stored()
    assert _status(stage, poll) is JobStatus.SUCCEEDED
    assert stage.stores.states.end(turn, succeeded=True, data_until=None)


def test_a_poll_finds_the_lease_taken(stage: SyncStage) -> None:
    """It is dropped without a call: the running sync fetches what it would."""
    other = stage.order(JobKind.BACKFILL, Trigger.API)
    stage.stores.states.take(other)
    calls = stage.calls
    result = stage.sync(_poll(stage))

    assert (result.busy, result.retry_in_s, stage.calls) == (True, None, calls)
    assert result.job
    assert result.job.order.job_id == other.job_id
    assert isinstance(stage.stores.states.look(_poll(stage)), Busy)


def test_a_poll_ends_a_lease_that_has_expired(stage: SyncStage) -> None:
    """Its holder is dead; the poll removes what it has left."""
    stage.stores.states.take(stage.order(JobKind.BACKFILL, Trigger.API))
    stage.clock.advance(151)
    stage.sync(_poll(stage))
    item = stage.memory.tables["users"]["ada", "sync"]

    assert "lease_until" not in item
    assert "running" not in item


@pytest.mark.parametrize("change", ["login", "disconnect"])
def test_a_login_during_a_poll_keeps_its_outcome_out(stage: SyncStage, change: str) -> None:
    """A poll for the connection before does not write into the state of the one after."""
    states = stage.stores.states

    def changes() -> None:
        states.start_polling("ada", None, NOON) if change == "login" else states.stop_polling("ada")

    succeeded_at = _state(stage).last_success_at
    stage.sync(_poll(stage), Meanwhile(stage.source(), changes))

    state = _state(stage)
    assert state.last_success_at == succeeded_at
    assert state.covered is None
    assert (state.slot is None) == (change == "disconnect")


def test_a_failed_poll_counts_as_a_failure(stage: SyncStage) -> None:
    """It has a job of its own and is retried; the lease is free before and after."""

    def fails(_: Fetched) -> Fetched:
        raise Unavailable

    poll = _poll(stage)
    result = stage.sync(poll, RecordingSource(stage.source(), fails))

    assert result.retry_in_s is not None
    state = _state(stage)
    assert (state.failures, state.last_attempt_at) == (1, stage.clock.now())
    assert state.last_error
    assert state.last_error[0] == "Unavailable"
    assert _status(stage, poll) is JobStatus.DEFERRED
    assert stage.sync(replace(poll, deferrals=1)).counts
    assert _state(stage).failures == 0


def test_a_read_that_is_late_sees_a_user_just_connected(stage: SyncStage) -> None:
    """Without an item the poll takes the lease, whose write is never late."""
    states = stage.stores.states
    item = stage.memory.tables["users"].pop(("ada", "sync"))
    assert states.look(_poll(stage)) is None
    appears: list[SyncResult] = []

    class Appearing:
        """The table, which gets the item after it was read."""

        def __getattr__(self, name: str) -> object:
            if name == "update_item":
                stage.memory.tables["users"]["ada", "sync"] = item
            return getattr(stage.memory, name)

    late = replace(states, table=replace(states.table, client=Appearing()))  # type: ignore[arg-type]
    stage.stores = replace(stage.stores, states=late)
    appears.append(stage.sync(_poll(stage)))

    assert appears[0].counts
    assert appears[0].counts.stored == 3


def test_a_poll_that_was_served_begins_no_turn(stage: SyncStage) -> None:
    """A sync that fetched everything after the poll was ordered has stored its readings."""
    waiting = _poll(stage)
    stage.clock.advance(1)
    stage.sync(stage.order(JobKind.RECONCILE, Trigger.API))

    assert stage.stores.states.look(waiting) == Superseded(served=True)


@pytest.mark.parametrize(
    ("slot", "percent", "claimed", "ordered"),
    [
        ("900#7", 100, False, 22),  # Slots 0 to 14: minutes 7, 22, 37 and 52.
        ("900#7", 100, True, 37),  # A tick that is running may have ordered the minutes up to now.
        ("900#10", 100, False, 25),
        ("900#7#own03", 100, True, 37),
        ("900#11", 200, False, 25),  # Half as many turns: the one before the last is two minutes ago.
    ],
)
def test_the_last_minute_for_which_polls_were_ordered(
    slot: str, percent: int, *, claimed: bool, ordered: int
) -> None:
    """As of minute 40, when minute 25 was served last."""
    hour = int(NOON.timestamp()) // 60
    assert hour % 15 == 0
    now = NOON + 40 * HOUR / 60
    turns = {"turn_thousandths": (hour + 11) * 1_000, "stretch_percent": percent} if percent > 100 else {}
    until = {"claimed_until": int(now.timestamp()) + 1} if claimed else {}
    stretch = PollStretch.from_item({"served": hour + 25} | turns | until)

    assert stretch.last_ordered_at(slot, now) == NOON + ordered * HOUR / 60


def test_the_connection_is_read_again_right_after_a_login(stage: SyncStage) -> None:
    """A late read may show the login before, so the tokens it has are not used for two seconds."""
    stage.stores.states.start_polling("ada", None, NOON)
    begun = []
    for _ in range(3):
        turn = stage.stores.states.look(_poll(stage))
        assert isinstance(turn, Turn)
        begun.append(turn.connection is not None)
        stage.clock.advance(1)

    assert begun == [False, False, True]


def test_a_poll_whose_end_is_refused_moves_no_slot() -> None:
    """A user without data for days logs in again during a poll: the poll slows nothing down."""
    stage = SyncStage()
    stage.clock.advance(2 * 86_400)
    login = Meanwhile(stage.source(), lambda: stage.stores.states.start_polling("ada", None, NOON))
    stage.sync(_poll(stage), login)

    slot = _state(stage).slot
    assert slot
    assert slot.startswith("900#")
