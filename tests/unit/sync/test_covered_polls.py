"""Which syncs leave what is stored for the next poll, and which make it read the hours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import Unavailable
from bg_ingest.providers.seam import Fetched, Rejected
from bg_ingest.sync.job import JobKind, Trigger
from tests.simulation.provider import HOUR
from tests.support.fakes import NOON
from tests.unit.sync.stage import SyncStage, seen_at_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.providers.seam import Span
    from bg_ingest.sync.run import Source
    from bg_ingest.sync.windows import Covered

_LAST_DAY = [NOON - number * timedelta(minutes=5) for number in range(1, 300)]


@dataclass
class RecordingSource:
    """The stage's provider, with what was asked for and with changed answers."""

    source: Source
    change: Callable[[Fetched], Fetched] = lambda fetched: fetched
    starts: tuple[datetime, ...] = ()

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """The changed answer."""
        self.starts += (start,)
        return self.change(self.source.readings(user_id, start, end))

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """The provider's own answer."""
        return self.source.uploaded_since(user_id, since)


def _fails(_: Fetched) -> Fetched:
    raise Unavailable


def _with_a_rejected_record(fetched: Fetched) -> Fetched:
    return replace(fetched, rejected=(Rejected("value-missing", {}),))


@pytest.fixture
def stage() -> SyncStage:
    """A user whose first poll has stored the last day."""
    stage = SyncStage(seen_at_once(_LAST_DAY))
    stage.sync()
    stage.clock.advance(900)
    return stage


def _covered(stage: SyncStage) -> Covered | None:
    state = stage.stores.states.get("ada")
    assert state
    return state.covered


def test_a_poll_without_gaps_reads_no_day_of_hours(stage: SyncStage) -> None:
    """Also if the hours of the last day are gone: they are not read."""
    start = NOON - timedelta(minutes=5) - 3 * HOUR
    assert _covered(stage) is not None
    stage.memory.tables["readings"].clear()
    source = RecordingSource(stage.source())

    stage.sync(source=source)

    assert source.starts == (start,)


@pytest.mark.parametrize("change", [_fails, _with_a_rejected_record])
def test_an_incomplete_poll_leaves_nothing_known(
    stage: SyncStage, change: Callable[[Fetched], Fetched]
) -> None:
    """A poll that failed, or rejected a record, makes the next one read the hours."""
    stage.sync(source=RecordingSource(stage.source(), change))

    assert _covered(stage) is None


def test_a_reconciliation_makes_the_next_poll_read_the_hours(stage: SyncStage) -> None:
    """So once a day the polls learn what is stored."""
    stage.sync(stage.order(JobKind.RECONCILE))
    stage.memory.tables["readings"].clear()
    stage.clock.advance(900)
    source = RecordingSource(stage.source())
    stage.sync(source=source)

    assert source.starts == (stage.clock.now() - 24 * HOUR,)


def test_a_login_and_its_end_forget_what_is_stored(stage: SyncStage) -> None:
    """An erasure that keeps syncs out does as well."""
    states = stage.stores.states
    for forget in (
        lambda: states.start_polling("ada", None, NOON),
        lambda: states.stop_polling("ada"),
        lambda: states.keep_syncs_out("ada"),
    ):
        stage.clock.advance(900)
        stage.sync(stage.order(trigger=Trigger.API))
        assert _covered(stage) is not None
        forget()
        assert _covered(stage) is None


def test_a_relaying_source_reads_the_hours() -> None:
    """Its readings are fewer than those of the sensor's own provider."""
    stage = SyncStage(seen_at_once(_LAST_DAY))
    stage.stores.states.start_polling("ada", None, NOON, relays=True)
    stage.sync()

    assert _covered(stage) is None
