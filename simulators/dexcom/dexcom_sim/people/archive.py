"""Readings that Dexcom has received: the uploaded measurements of every user, and readings added by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from dexcom_sim.people.glucose import DAY_S
from dexcom_sim.people.records import DatedRecord, record_of
from dexcom_sim.people.sensors import GAP_S_MAX, measurements
from dexcom_sim.people.uploads import PHONE_DELAY_S, lateness_s_max, uploaded_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dexcom_sim.people.population import SimulatedPerson
    from dexcom_sim.people.sensors import Measurement
    from dexcom_sim.people.uploads import UploadHold

# The longest time without any measurement: some gaps in a row and a warm-up.
_SILENCE_S_MAX = DAY_S + GAP_S_MAX


@dataclass(frozen=True, slots=True)
class AddedRecord:
    """A record that was added by hand, and the time from which it is visible."""

    dated: DatedRecord
    uploaded_s: int


@dataclass(frozen=True, slots=True)
class DataSpan:
    """The times of the first and the last reading."""

    first_s: int
    last_s: int


class ReadingArchive:
    """The readings of all users. Sensor readings are computed on request; added readings are stored."""

    def __init__(self, client_id: str, since_s: int, upload_delay_s: int = PHONE_DELAY_S) -> None:
        self._client_id = client_id
        self._since_s = since_s  # The first sensors were inserted at this time.
        self._delay_s = upload_delay_s
        self._lock = Lock()
        # These are replaced and never changed, so a reader sees one consistent state without the lock.
        self._delays_s: Mapping[str, int] = {}
        self._added: Mapping[str, tuple[AddedRecord, ...]] = {}
        self._holds: tuple[UploadHold, ...] = ()

    def add(self, person: SimulatedPerson, added: Iterable[AddedRecord]) -> None:
        """Store readings that no sensor measured."""
        with self._lock:
            self._added = {**self._added, person.name: (*self._added.get(person.name, ()), *added)}

    def added(self) -> Mapping[str, tuple[AddedRecord, ...]]:
        """All readings that no sensor measured, by user."""
        return self._added

    def set_upload_delay(self, person: SimulatedPerson, delay_s: int) -> None:
        """Serve this person's phone uploads that late, those of the past included."""
        with self._lock:
            self._delays_s = {**self._delays_s, person.name: delay_s}

    def upload_delay_s(self, person: SimulatedPerson) -> int:
        """How late this person's phone uploads are served."""
        return self._delays_s.get(person.name, self._delay_s)

    def hold(self, hold: UploadHold) -> None:
        """Start a hold of uploads."""
        with self._lock:
            self._holds = (*self._holds, hold)

    def release(self, number: int, now_s: int) -> None:
        """Release a hold, so that the uploads it delayed arrive."""
        with self._lock:
            self._holds = tuple(
                replace(hold, released_s=now_s) if hold.number == number else hold for hold in self._holds
            )

    def visible_records(
        self, person: SimulatedPerson, from_s: int, to_s: int, now_s: int
    ) -> list[DatedRecord]:
        """The records of [from_s, to_s) that are visible at `now_s`, newest first."""
        records = [
            DatedRecord(measured.at_s, record_of(person, self._client_id, measured))
            for measured, _ in self.uploaded_measurements(person, from_s, to_s, now_s)
        ]
        records += [
            each.dated for each in self._visible_added(person, now_s) if from_s <= each.dated.at_s < to_s
        ]
        return sorted(records, key=lambda record: record.at_s, reverse=True)

    def uploaded_measurements(
        self, person: SimulatedPerson, from_s: int, to_s: int, now_s: int
    ) -> Iterator[tuple[Measurement, int]]:
        """The measurements of [from_s, to_s) that arrived by `now_s`, with arrival times; oldest first."""
        delay_s = self.upload_delay_s(person)
        holds = [hold for hold in self._holds if hold.applies_to(person.name)]
        for measured in measurements(person, max(from_s, self._since_s), min(to_s, now_s + 1)):
            arrival_s = uploaded_s(person, measured.at_s, delay_s)
            for hold in holds:
                arrival_s = hold.arrival_s(arrival_s)
            if arrival_s <= now_s:
                yield measured, arrival_s

    def span(self, person: SimulatedPerson, now_s: int) -> DataSpan | None:
        """The span of all visible readings; None without one."""
        everything = self.uploaded_measurements(person, self._since_s, now_s + 1, now_s)
        first_s = next((measured.at_s for measured, _ in everything), None)
        recent_s = now_s - self._lateness_s_max(person) - _SILENCE_S_MAX
        times_s = [
            measured.at_s for measured, _ in self.uploaded_measurements(person, recent_s, now_s + 1, now_s)
        ]
        times_s += [each.dated.at_s for each in self._visible_added(person, now_s)]
        return _span(times_s if first_s is None else [first_s, *times_s])

    def span_since(self, person: SimulatedPerson, now_s: int, uploaded_after_s: int) -> DataSpan | None:
        """The span of the readings that were uploaded after that second; None without one."""
        earliest_s = uploaded_after_s - self._lateness_s_max(person)
        uploaded = self.uploaded_measurements(person, earliest_s, now_s + 1, now_s)
        times_s = [measured.at_s for measured, arrival_s in uploaded if arrival_s > uploaded_after_s]
        times_s += [
            each.dated.at_s
            for each in self._visible_added(person, now_s)
            if each.uploaded_s > uploaded_after_s
        ]
        return _span(times_s)

    def _lateness_s_max(self, person: SimulatedPerson) -> int:
        held_s = sum(
            hold.delay_s + hold.newest_first_s for hold in self._holds if hold.applies_to(person.name)
        )
        return lateness_s_max(person, self.upload_delay_s(person)) + held_s

    def _visible_added(self, person: SimulatedPerson, now_s: int) -> Iterator[AddedRecord]:
        return (added for added in self._added.get(person.name, ()) if added.uploaded_s <= now_s)


def _span(times_s: list[int]) -> DataSpan | None:
    return DataSpan(min(times_s), max(times_s)) if times_s else None
