"""A history of years is fetched in the memory that one window takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import ref

from bg_ingest.providers.seam import Fetched
from bg_ingest.readings.model import Reading
from bg_ingest.sync.job import JobKind, Trigger
from tests.simulation.provider import DAY
from tests.unit.sync.stage import Stage

if TYPE_CHECKING:
    from datetime import datetime
    from weakref import ReferenceType


class Brought(Fetched):
    """Fetched readings that a weak reference can watch."""


@dataclass
class Watching:
    """A provider that looks, at each fetch, how much of what it brought before is still held."""

    payload: list[ReferenceType[Brought]] = field(default_factory=list)
    held_at_most: int = 0

    def readings(self, user_id: str, start: datetime, end: datetime) -> Brought:  # noqa: ARG002 - the protocol names it.
        """A reading each day."""
        self.held_at_most = max(self.held_at_most, sum(one() is not None for one in self.payload))
        payload = Brought(tuple(Reading(start + DAY * day, 100) for day in range((end - start).days)))
        self.payload.append(ref(payload))
        return payload

    def uploaded_since(self, user_id: str, since: datetime) -> None:
        """Nothing: this test reconciles no user."""


def test_nothing_of_a_window_is_held_when_the_next_is_fetched() -> None:
    """What is stored is let go, so that memory does not grow with the years."""
    stage, provider = Stage(), Watching()
    stage.stores.states.start_polling("ada", None, stage.clock.now() - 700 * DAY)
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)

    stage.sync(order, provider)

    assert len(provider.payload) > 20
    assert provider.held_at_most == 0
