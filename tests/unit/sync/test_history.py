"""A backfill of years needs the memory of one window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

from bg_ingest.providers.seam import Fetched
from bg_ingest.readings.model import Reading
from bg_ingest.sync.job import JobKind, Trigger
from tests.simulation.provider import DAY
from tests.unit.sync.stage import SyncStage

if TYPE_CHECKING:
    from datetime import datetime
    from weakref import ReferenceType


class TrackedFetched(Fetched):
    """Fetched readings that a weak reference can watch."""


@dataclass
class MemoryWatchingProvider:
    """A provider that records, at each fetch, how many of its earlier results are still in memory."""

    payload: list[ReferenceType[TrackedFetched]] = field(default_factory=list)
    held_at_most: int = 0

    def readings(self, user_id: str, start: datetime, end: datetime) -> TrackedFetched:  # noqa: ARG002 - the protocol names it.
        """One reading for each day."""
        self.held_at_most = max(self.held_at_most, sum(one() is not None for one in self.payload))
        payload = TrackedFetched(tuple(Reading(start + DAY * day, 100) for day in range((end - start).days)))
        self.payload.append(ref(payload))
        return payload

    def uploaded_since(self, user_id: str, since: datetime) -> None:
        """No uploads, because this test does not reconcile."""


def test_a_window_is_released_before_the_next_is_fetched() -> None:
    """A stored window is released, so that memory does not grow with the length of the history."""
    stage, provider = SyncStage(), MemoryWatchingProvider()
    stage.stores.states.start_polling("ada", None, stage.clock.now() - 700 * DAY)
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)

    stage.sync(order, provider)

    assert len(provider.payload) > 20
    assert provider.held_at_most == 0
