"""The simulated world behind the API: its people, its clock, their consents and readings. No HTTP in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock
from dexcom_sim.application import Application
from dexcom_sim.calls import CallLog
from dexcom_sim.clock import MovedClock
from dexcom_sim.faults.book import FaultBook
from dexcom_sim.faults.deeds import (
    AccessTokenExpired,
    LateUploads,
    QuotaExhausted,
    RefreshTokenUsed,
    UserRevoked,
)
from dexcom_sim.holds import Hold
from dexcom_sim.instants import unix_s
from dexcom_sim.journal import Journal
from dexcom_sim.oauth import Consents
from dexcom_sim.people import PEOPLE, population
from dexcom_sim.quota import Quota
from dexcom_sim.subscriptions import Subscriptions
from dexcom_sim.traces import DAY_S
from dexcom_sim.uploads import PHONE_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.clock import Clock
    from dexcom_sim.faults.book import Standing
    from dexcom_sim.faults.changes import Ordered
    from dexcom_sim.faults.kinds import Fault, StandingFault
    from dexcom_sim.journal import Span
    from dexcom_sim.people import Person
    from dexcom_sim.records import Record

# People wear sensors since a good year, so that a backfill has something to fill.
HISTORY_S = 400 * DAY_S


class World:
    """
    Everything the simulated Dexcom knows; the same seed and clock give the same world.

    Safe to use from many threads: each part guards its own state, and readings are computed, not kept.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        clock: Clock | None = None,
        application: Application | None = None,
        upload_delay_s: int = PHONE_DELAY_S,
        people: int = PEOPLE,
        subscriptions_path: str | None = None,
    ) -> None:
        self.seed = seed
        self.clock = MovedClock(clock or SystemClock())
        self.application = application or Application()
        self.people = population(seed, people)
        self.calls = CallLog()
        self.quota = Quota()
        self.faults = FaultBook(seed)
        self.consents = Consents(seed, self.clock)
        self.subscriptions_path = subscriptions_path  # None: this provider has none, as Dexcom.
        self.subscriptions = Subscriptions()
        self._upload_delay_s = upload_delay_s
        self._since_s = (self.now_s() - HISTORY_S) // DAY_S * DAY_S
        self.journal = self._blank_journal()

    def now_s(self) -> int:
        """The second it is in this world."""
        return unix_s(self.clock.now())

    def person(self, user: str) -> Person | None:
        """The person of that name, if there is one."""
        return self.people.get(user)

    def egvs(self, person: Person, from_s: int, to_s: int, changes: Sequence[Ordered] = ()) -> list[Record]:
        """What the API shows now of [from_s, to_s), newest first, after the faults that change records."""
        # A fault may move a record into the window or out of it.
        reach_s = sum(change.reach_s for change, _ in changes)
        listed = self.journal.shown(person, from_s - reach_s, to_s + reach_s, self.now_s())
        for change, posted in changes:
            listed = change.applied(listed, posted)
        return [shown.record for shown in listed if from_s <= shown.at_s < to_s]

    def span(self, person: Person, uploaded_after_s: int | None = None) -> Span | None:
        """From when to when there is data, of all that was uploaded after some second; None without any."""
        if uploaded_after_s is None:
            return self.journal.span(person, self.now_s())
        return self.journal.span_since(person, self.now_s(), uploaded_after_s)

    def order(self, fault: Fault) -> Standing | None:
        """Let that go wrong from now on; None for what is done and over at once."""
        match fault:
            case UserRevoked(user=user):
                self.consents.revoke(user)
                self.subscriptions.forget(user)
            case RefreshTokenUsed(user=user):
                self.consents.kill_refresh_tokens(user)
            case AccessTokenExpired(user=user):
                self.consents.kill_access_tokens(user)
            case _:
                return self._stand(fault)
        return None

    def _stand(self, fault: StandingFault) -> Standing:
        standing = self.faults.add(fault, self.now_s())
        match fault:
            case QuotaExhausted():
                self.quota.limit(fault.calls_per_hour_max, retry_after=fault.retry_after)
            case LateUploads():
                self.journal.hold(
                    Hold(
                        standing.number,
                        fault.user,
                        self.now_s(),
                        fault.delay_s,
                        newest_first_s=fault.newest_first_s,
                    )
                )
        return standing

    def take_back(self, number: int | None = None) -> list[Standing]:
        """Let one fault, or every fault, go wrong no longer."""
        gone = self.faults.remove(number)
        for standing in gone:
            match standing.fault:
                case QuotaExhausted():
                    self.quota.lift()
                case LateUploads():
                    self.journal.lift(standing.number, self.now_s())
        return gone

    def reset(self) -> None:
        """Back to the beginning: no consents, faults, calls or added readings, the clock not moved."""
        self.faults = FaultBook(self.seed)
        self.quota.forget()
        self.consents.forget()
        self.subscriptions.forget()
        self.calls.clear()
        self.clock.offset_by(0.0)
        self.journal = self._blank_journal()

    def _blank_journal(self) -> Journal:
        return Journal(self.application.client_id, self._since_s, self._upload_delay_s)
