"""What a history and a reconciliation fetch when the provider or the person does not go the usual way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import ContractBroken, RequestRefused
from bg_ingest.sync.job import JobKind, JobStatus
from bg_ingest.sync.windows import history_after_reconnecting
from tests.simulation.provider import DAY, HOUR, Known, SimulatedProvider
from tests.support.fakes import NOON
from tests.unit.sync.stage import Stage, seen_at_once

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.providers.seam import Fetched, Span
    from bg_ingest.sync.state import SyncState


class Forgetful(SimulatedProvider):
    """A provider that refuses to be asked about more than fifteen days."""

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """What there is, of what may be asked for."""
        if start < self.clock.now() - 15 * DAY:
            raise RequestRefused
        return super().readings(user_id, start, end)


def test_a_history_older_than_the_provider_answers_for_is_fetched_from_where_its_data_begins() -> None:
    """A window that is refused for its age costs nothing of what is in it, and ends no history."""
    stage = Stage(seen_at_once([NOON - number * DAY for number in range(1, 15)]))

    report = stage.sync(stage.order(JobKind.BACKFILL), Forgetful(**vars(stage.provider)))

    assert report.job is not None
    assert report.job.failure is None
    assert stage.missing() == []
    assert _state(stage).backfill.done


def test_a_history_that_is_refused_though_there_is_data_is_not_over() -> None:
    """Somebody has to look: the provider says that it has readings there."""
    stage = Stage(seen_at_once([NOON - 20 * DAY]))

    report = stage.sync(stage.order(JobKind.BACKFILL), Forgetful(**vars(stage.provider)))

    assert report.facts()["error"] == "RequestRefused"
    assert not _state(stage).backfill.done


def test_the_last_days_are_compared_even_if_nobody_can_read_what_was_uploaded() -> None:
    """Uploads stay unseen until an answer about them can be read, and somebody is told."""
    stage = Stage(seen_at_once([NOON - 2 * DAY]))

    class Odd(SimulatedProvider):
        """A provider whose answer about uploads is not what it documents."""

        def uploaded_since(self, *_: Any) -> Span | None:
            """Something else."""
            raise ContractBroken

    report = stage.sync(stage.order(JobKind.RECONCILE), Odd(**vars(stage.provider)))

    assert stage.missing() == []
    assert report.job is not None
    assert (report.job.status, report.facts()["error"]) == (JobStatus.FAILED, "ContractBroken")
    assert _state(stage).reconciled_at is None


def test_connecting_again_keeps_the_old_history_in_sight() -> None:
    """What is uploaded afterwards is found wherever in it, and its days are told by all of it."""
    on_time, late = NOON - 24 * DAY - HOUR, NOON - 25 * DAY
    stage = Stage([*seen_at_once([on_time]), Known(late, NOON + 10 * DAY, 100, None)])
    stage.sync(stage.order(JobKind.BACKFILL))
    stage.clock.advance((9 * DAY).total_seconds())
    stage.sync()
    history_from = history_after_reconnecting(_state(stage), NOON - 90 * DAY)
    assert late < on_time < history_from
    stage.stores.states.start_polling("ada", None, history_from)
    stage.sync(stage.order(JobKind.BACKFILL))
    stage.clock.advance((2 * DAY).total_seconds())

    stage.sync(stage.order(JobKind.RECONCILE))

    assert stage.missing() == []
    edge = history_from.date()
    assert [day.expected for day in stage.stores.completeness.between("ada", edge, edge)] == [288]


def _state(stage: Stage) -> SyncState:
    state = stage.stores.states.get("ada")
    assert state is not None
    return state
