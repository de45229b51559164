"""What Dexcom knows about everyone's glucose: what was measured and has been uploaded by now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from dexcom_sim.faults.changes import Shown
from dexcom_sim.records import record_of
from dexcom_sim.sensors import GAP_S_MAX, measurements
from dexcom_sim.traces import DAY_S
from dexcom_sim.uploads import PHONE_DELAY_S, lateness_s_max, uploaded_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dexcom_sim.holds import Hold
    from dexcom_sim.people import Person
    from dexcom_sim.sensors import Measurement

# Nobody is without a reading for longer, unless uploads are late: some gaps in a row and a warm-up.
_SILENCE_S_MAX = DAY_S + GAP_S_MAX


@dataclass(frozen=True, slots=True)
class Added:
    """A reading put there by hand, and the second it can be seen from."""

    shown: Shown
    uploaded_s: int


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last second of some data."""

    first_s: int
    last_s: int


class Journal:
    """Everyone's readings; those of the sensors are computed when asked for, those added by hand are kept."""

    def __init__(self, client_id: str, since_s: int, upload_delay_s: int = PHONE_DELAY_S) -> None:
        self._client_id = client_id
        self._since_s = since_s  # Nobody wore a sensor before that.
        self._delay_s = upload_delay_s
        self._lock = Lock()
        # Replaced, never changed in place: who reads sees one state to the end.
        self._delays_s: Mapping[str, int] = {}
        self._added: Mapping[str, tuple[Added, ...]] = {}
        self._holds: tuple[Hold, ...] = ()

    def add(self, person: Person, added: Iterable[Added]) -> None:
        """Keep readings that no sensor measured."""
        with self._lock:
            self._added = {**self._added, person.name: (*self._added.get(person.name, ()), *added)}

    def delay_uploads(self, person: Person, delay_s: int) -> None:
        """Serve that person's phone uploads so late, as if it had always been so."""
        with self._lock:
            self._delays_s = {**self._delays_s, person.name: delay_s}

    def delay_s(self, person: Person) -> int:
        """How late that person's phone uploads are served."""
        return self._delays_s.get(person.name, self._delay_s)

    def hold(self, hold: Hold) -> None:
        """Let uploads wait."""
        with self._lock:
            self._holds = (*self._holds, hold)

    def lift(self, number: int, now_s: int) -> None:
        """What that hold has kept back arrives now."""
        with self._lock:
            self._holds = tuple(
                replace(hold, lifted_s=now_s) if hold.number == number else hold for hold in self._holds
            )

    def shown(self, person: Person, from_s: int, to_s: int, now_s: int) -> list[Shown]:
        """What the API shows at `now_s` of [from_s, to_s), newest first."""
        listed = [
            Shown(measured.at_s, record_of(person, self._client_id, measured))
            for measured, _ in self.arrived(person, from_s, to_s, now_s)
        ]
        listed += [it.shown for it in self._seen(person, now_s) if from_s <= it.shown.at_s < to_s]
        return sorted(listed, key=lambda shown: shown.at_s, reverse=True)

    def arrived(
        self, person: Person, from_s: int, to_s: int, now_s: int
    ) -> Iterator[tuple[Measurement, int]]:
        """What sensors measured in [from_s, to_s) and Dexcom has at `now_s`, and since when; oldest first."""
        delay_s = self.delay_s(person)
        holds = [hold for hold in self._holds if hold.concerns(person.name)]
        for measured in measurements(person, max(from_s, self._since_s), min(to_s, now_s + 1)):
            arrived_s = uploaded_s(person, measured.at_s, delay_s)
            for hold in holds:
                arrived_s = hold.arrives_s(arrived_s)
            if arrived_s <= now_s:
                yield measured, arrived_s

    def span(self, person: Person, now_s: int) -> Span | None:
        """From when to when there is data; None without any."""
        everything = self.arrived(person, self._since_s, now_s + 1, now_s)
        first = next((measured.at_s for measured, _ in everything), None)
        recent_s = now_s - self._lateness_s_max(person) - _SILENCE_S_MAX
        dated = [measured.at_s for measured, _ in self.arrived(person, recent_s, now_s + 1, now_s)]
        dated += [it.shown.at_s for it in self._seen(person, now_s)]
        return _span(dated if first is None else [first, *dated])

    def span_since(self, person: Person, now_s: int, uploaded_after_s: int) -> Span | None:
        """The same of what was uploaded after that second only."""
        earliest_s = uploaded_after_s - self._lateness_s_max(person)
        arrived = self.arrived(person, earliest_s, now_s + 1, now_s)
        dated = [measured.at_s for measured, arrived_s in arrived if arrived_s > uploaded_after_s]
        dated += [it.shown.at_s for it in self._seen(person, now_s) if it.uploaded_s > uploaded_after_s]
        return _span(dated)

    def _lateness_s_max(self, person: Person) -> int:
        held_s = sum(hold.delay_s + hold.newest_first_s for hold in self._holds if hold.concerns(person.name))
        return lateness_s_max(person, self.delay_s(person)) + held_s

    def _seen(self, person: Person, now_s: int) -> Iterator[Added]:
        return (added for added in self._added.get(person.name, ()) if added.uploaded_s <= now_s)


def _span(dated: list[int]) -> Span | None:
    return Span(min(dated), max(dated)) if dated else None
