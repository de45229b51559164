"""A simulated provider: readings, their uploads and revisions, and failing calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.providers.errors import Garbled, Throttled, Unavailable
from bg_ingest.providers.seam import Fetched, Span
from bg_ingest.readings.model import Device, Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.support.fakes import FakeClock

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HISTORY = timedelta(days=75)
_DENSE_BEFORE, _DENSE_AFTER = 2 * HOUR, 2.5 * HOUR
_TROUBLES = (
    Throttled("429", retry_after_s=40.0),
    Throttled("429", retry_after_s=1_200.0),
    Unavailable("503"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """One measurement, its upload time, and its revision."""

    at: datetime
    uploaded_at: datetime
    mg_dl: int
    revised_at: datetime | None


@dataclass
class SimulatedProvider:
    """The readings of all users."""

    clock: FakeClock
    step: Callable[[], None]
    random: Random
    people: dict[str, list[Known]]
    failure_rate: float = 0.0  # The probability that a call fails.

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """Return the visible readings of `[start, end)`, in any order."""
        self._called()
        found = self.shown(user_id, start, end)
        self.random.shuffle(found)
        self.step()  # Time passes while the answer is sent, so a slow answer is saved late.
        return Fetched(tuple(found))

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """Return the range of data uploaded since then."""
        self._called()
        instants = [known.at for known in self.visible(user_id) if known.uploaded_at > since]
        return Span(min(instants), max(instants)) if instants else None

    def shown(self, user_id: str, start: datetime, end: datetime) -> list[Reading]:
        """Return the visible readings of `[start, end)` without a call."""
        return [self._reading(known) for known in self.visible(user_id) if start <= known.at < end]

    def visible(self, user_id: str, now: datetime | None = None) -> list[Known]:
        """Return whether it has been uploaded."""
        now = now or self.clock.now()
        return [known for known in self.people[user_id] if known.uploaded_at <= now]

    def mg_dl(self, known: Known) -> int:
        """Return the current value, after any revision."""
        return known.mg_dl + (known.revised_at is not None and known.revised_at <= self.clock.now())

    def _called(self) -> None:
        self.step()
        if self.random.random() < self.failure_rate:
            raise self.random.choice([*_TROUBLES, Garbled("cut short")])

    def _reading(self, known: Known) -> Reading:
        return Reading(known.at, self.mg_dl(known), device=Device("g7", "iOS", "G7"))


def life(random: Random, now: datetime) -> list[Known]:
    """Return one user's readings: sparse except around now, and late in every way."""
    instants = [now - HISTORY + hours * 18 * HOUR for hours in range(int(HISTORY / (18 * HOUR)))]
    instants = [at for at in instants if at < now - _DENSE_BEFORE]
    dense = int((_DENSE_BEFORE + _DENSE_AFTER) / (5 * MINUTE))
    instants += [now - _DENSE_BEFORE + number * 5 * MINUTE for number in range(dense)]
    instants += [now + _DENSE_AFTER + number * 2 * HOUR for number in range(15)]
    out_of_reach = (now - random.uniform(0, 5) * HOUR, now + random.uniform(0.1, 1.5) * HOUR)
    plugged_in_at = now + random.uniform(0.1, 1.5) * HOUR
    delay = random.choice([0, 1, 3]) * HOUR
    known = []
    for at in instants:
        if random.random() < 0.05:
            continue  # Not measured.
        uploaded_at = at + delay
        if out_of_reach[0] <= at < out_of_reach[1]:
            # The newest first: the last measurement comes a few minutes before the first.
            uploaded_at = out_of_reach[1] + (out_of_reach[1] - at) / 20
        if now - 21 * DAY <= at < now - 4 * DAY and random.random() < 0.5:
            uploaded_at = plugged_in_at
        revised = at > now - 2 * HOUR and random.random() < 0.1
        revised_at = uploaded_at + random.uniform(0, 2) * HOUR if revised else None
        known.append(Known(at, uploaded_at, random.randint(40, 400), revised_at))
    return known
