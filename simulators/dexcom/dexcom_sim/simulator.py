"""The state of the simulated Dexcom: users, clock, consents, readings and faults. It contains no HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dexcom_sim.added_readings import added_record
from dexcom_sim.calls import CallLog
from dexcom_sim.clock import AdjustableClock, MachineTime
from dexcom_sim.faults.fault_list import FaultList
from dexcom_sim.faults.state_faults import (
    AccessTokenExpired,
    LateUploads,
    QuotaExhausted,
    RefreshTokenUsed,
    UserRevoked,
)
from dexcom_sim.oauth import Consents, RegisteredApplication
from dexcom_sim.people.archive import ReadingArchive
from dexcom_sim.people.glucose import DAY_S
from dexcom_sim.people.population import PEOPLE, population
from dexcom_sim.people.uploads import PHONE_DELAY_S, RELIABLE_DELAY_S, UploadHold
from dexcom_sim.quota import CallQuota
from dexcom_sim.subscriptions import WebhookSubscriptions
from dexcom_sim.timestamps import unix_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dexcom_sim.added_readings import AddedReading
    from dexcom_sim.clock import TimeSource
    from dexcom_sim.faults.fault_list import ActiveFault
    from dexcom_sim.faults.kinds import Fault, LastingFault
    from dexcom_sim.faults.record_faults import AppliedFault
    from dexcom_sim.people.archive import DataSpan
    from dexcom_sim.people.population import SimulatedPerson
    from dexcom_sim.people.records import Record

HISTORY_S = 400 * DAY_S  # More than a year, so that a backfill has data to fetch.


class SimulatedDexcom:
    """
    Everything the simulated Dexcom knows. The same seed and the same clock give the same data.

    Safe to use from many threads: each part protects its own state. Sensor readings are computed, not stored.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        clock: TimeSource | None = None,
        application: RegisteredApplication | None = None,
        upload_delay_s: int = PHONE_DELAY_S,
        people: int = PEOPLE,
        subscriptions_path: str | None = None,
        reliable: Sequence[str] = (),
    ) -> None:
        self.seed = seed
        self.clock = AdjustableClock(clock or MachineTime())
        self.application = application or RegisteredApplication()
        self.people = population(seed, people, tuple(reliable))
        self.calls = CallLog()
        self.quota = CallQuota()
        self.faults = FaultList(seed)
        self.consents = Consents(seed, self.clock)
        self.subscriptions_path = subscriptions_path  # None: no subscriptions, as at Dexcom.
        self.subscriptions = WebhookSubscriptions()
        self._upload_delay_s = upload_delay_s
        self._since_s = (self.now_s() - HISTORY_S) // DAY_S * DAY_S
        self.archive = self._new_archive()

    def now_s(self) -> int:
        """The simulated time in seconds of Unix time."""
        return unix_s(self.clock.now())

    def person(self, user: str) -> SimulatedPerson | None:
        """The sandbox user of this name; None if there is no such user."""
        return self.people.get(user)

    def records(
        self, person: SimulatedPerson, from_s: int, to_s: int, faults: Sequence[AppliedFault] = ()
    ) -> list[Record]:
        """The records that the API returns for [from_s, to_s), newest first, changed by these faults."""
        # A fault may move a record into the window or out of it.
        reach_s = sum(fault.reach_s for fault, _ in faults)
        dated = self.archive.visible_records(person, from_s - reach_s, to_s + reach_s, self.now_s())
        for fault, context in faults:
            dated = fault.apply(dated, context)
        return [each.record for each in dated if from_s <= each.at_s < to_s]

    def data_span(self, person: SimulatedPerson, uploaded_after_s: int | None = None) -> DataSpan | None:
        """The first and last reading that were uploaded after some time; None if there is no reading."""
        if uploaded_after_s is None:
            return self.archive.span(person, self.now_s())
        return self.archive.span_since(person, self.now_s(), uploaded_after_s)

    def add_readings(self, person: SimulatedPerson, readings: Sequence[AddedReading]) -> list[Record]:
        """Add readings that no sensor measured, and return their records."""
        now_s = self.now_s()
        added = [added_record(person, self.application.client_id, reading, now_s) for reading in readings]
        self.archive.add(person, added)
        return [each.dated.record for each in added]

    def add_fault(self, fault: Fault) -> ActiveFault | None:
        """Start a fault; None if it acts once and at once, so that there is nothing to clear."""
        match fault:
            case UserRevoked(user=user):
                self.consents.revoke(user)
                self.subscriptions.clear(user)
            case RefreshTokenUsed(user=user):
                self.consents.revoke_refresh_tokens(user)
            case AccessTokenExpired(user=user):
                self.consents.revoke_access_tokens(user)
            case _:
                return self._start(fault)
        return None

    def _start(self, fault: LastingFault) -> ActiveFault:
        now_s = self.now_s()
        active = self.faults.add(fault, now_s)
        match fault:
            case QuotaExhausted():
                self.quota.set_limit(fault.calls_per_hour_max, retry_after=fault.retry_after)
            case LateUploads(user=user, delay_s=delay_s, newest_first_s=newest_first_s):
                hold = UploadHold(active.number, user, now_s, delay_s, newest_first_s=newest_first_s)
                self.archive.hold(hold)
        return active

    def clear_faults(self, number: int | None = None) -> list[ActiveFault]:
        """End one fault, or all faults, and return those that ended."""
        removed = self.faults.remove(number)
        for active in removed:
            match active.fault:
                case QuotaExhausted():
                    self.quota.restore_limit()
                case LateUploads():
                    self.archive.release(active.number, self.now_s())
        return removed

    def reset(self) -> None:
        """Return to the initial state: no consents, faults, calls or added readings, and no clock offset."""
        self.faults = FaultList(self.seed)
        self.quota.reset()
        self.consents.clear()
        self.subscriptions.clear()
        self.calls.clear()
        self.clock.set_offset(0.0)
        self.archive = self._new_archive()

    def _new_archive(self) -> ReadingArchive:
        archive = ReadingArchive(self.application.client_id, self._since_s, self._upload_delay_s)
        for person in self.people.values():
            if person.reliable:
                archive.set_upload_delay(person, min(RELIABLE_DELAY_S, self._upload_delay_s))
        return archive
