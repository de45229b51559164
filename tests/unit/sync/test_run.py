"""Backfills and reconciliations in unusual cases of the provider or the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import ContractBroken, RequestRefused
from bg_ingest.sync.job import JobKind, JobStatus
from bg_ingest.sync.windows import history_after_reconnecting
from tests.simulation.provider import DAY, HOUR, Known, SimulatedProvider
from tests.support.fakes import NOON
from tests.unit.sync.stage import SyncStage, seen_at_once

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.providers.seam import Fetched, Span
    from bg_ingest.sync.state import SyncState


class LimitedProvider(SimulatedProvider):
    """A provider that refuses requests for data older than fifteen days."""

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """The readings of the range, unless it is too old."""
        if start < self.clock.now() - 15 * DAY:
            raise RequestRefused
        return super().readings(user_id, start, end)


def test_a_history_beyond_the_providers_limit_is_fetched() -> None:
    """A window that is refused for its age is fetched from the start of the provider's data."""
    stage = SyncStage(seen_at_once([NOON - number * DAY for number in range(1, 15)]))

    report = stage.sync(stage.order(JobKind.BACKFILL), LimitedProvider(**vars(stage.provider)))

    assert report.job is not None
    assert report.job.failure is None
    assert stage.missing() == []
    assert _state(stage).backfill.done


def test_a_refused_history_with_data_is_not_finished() -> None:
    """If the provider refuses readings that it has, then the job fails for an operator to see."""
    stage = SyncStage(seen_at_once([NOON - 20 * DAY]))

    report = stage.sync(stage.order(JobKind.BACKFILL), LimitedProvider(**vars(stage.provider)))

    assert report.facts()["error"] == "RequestRefused"
    assert not _state(stage).backfill.done


def test_unreadable_upload_times_do_not_stop_a_reconciliation() -> None:
    """The last days are compared, and the job fails so that an operator sees the error."""
    stage = SyncStage(seen_at_once([NOON - 2 * DAY]))

    class ContractBreakingProvider(SimulatedProvider):
        """A provider whose answer about uploads is not the documented one."""

        def uploaded_since(self, *_: Any) -> Span | None:
            """Fail."""
            raise ContractBroken

    report = stage.sync(stage.order(JobKind.RECONCILE), ContractBreakingProvider(**vars(stage.provider)))

    assert stage.missing() == []
    assert report.job is not None
    assert (report.job.status, report.facts()["error"]) == (JobStatus.FAILED, "ContractBroken")
    assert _state(stage).reconciled_at is None


def test_reconnecting_keeps_the_earlier_history() -> None:
    """Late uploads anywhere in the whole history are found, and its days stay complete."""
    on_time, late = NOON - 24 * DAY - HOUR, NOON - 25 * DAY
    stage = SyncStage([*seen_at_once([on_time]), Known(late, NOON + 10 * DAY, 100, None)])
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


def _state(stage: SyncStage) -> SyncState:
    state = stage.stores.states.get("ada")
    assert state is not None
    return state
