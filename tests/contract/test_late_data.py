"""Late data in every form that Dexcom has, found by the sync engine and lost by a plain watermark."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.sync.job import JobKind
from dexcom_sim.added_readings import AddedReading
from dexcom_sim.faults import LateUploads
from dexcom_sim.simulator import SimulatedDexcom
from dexcom_sim.timestamps import unix_s
from tests.support.engine import Engine
from tests.support.fakes import NOON, FakeClock
from tests.support.turns import endless_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.readings.completeness import Day

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
# A phone is a day late at most, a receiver weeks.
SHORT_HISTORY, LONG_HISTORY = timedelta(days=3), timedelta(days=28)
PHONE, RECEIVER = "SandboxUser7", "SandboxUser4"


class LateDataCase:
    """A user who connects at noon and is polled from then on, by the engine or by a watermark."""

    def __init__(
        self, person: str, upload_delay: timedelta = timedelta(0), history: timedelta = SHORT_HISTORY
    ) -> None:
        self.history = history
        self.clock = FakeClock()
        self.world = SimulatedDexcom(clock=self.clock, upload_delay_s=int(upload_delay.total_seconds()))
        self.engine = Engine(self.world, self.clock)
        self.http = self.engine.http()
        self.person = self.world.people[person]

    def connect(self) -> None:
        """Log in and fetch the history."""
        self.history_from = self.clock.now() - self.history
        self.engine.connect("ada", self.person.name, self.history_from)
        self.sync(JobKind.BACKFILL)

    def sync(self, kind: JobKind = JobKind.INCREMENTAL) -> None:
        """Sync as the engine does."""
        report = self.engine.sync(self.engine.order("ada", kind), self.http)
        assert report.job is not None
        assert report.job.failure is None

    def fetch_since_the_newest(self) -> None:
        """Fetch as a plain watermark does: only readings after the newest stored one."""
        newest = self.engine.stores.reading_store.latest("ada")
        assert newest is not None
        now = self.clock.now()
        provider = self.engine.source_of(self.http)(endless_turn(), lambda: 110.0)
        fetched = provider.readings("ada", newest.reading.at, now)
        self.engine.stores.reading_store.save("ada", fetched.readings, now)

    def measure_now(self) -> None:
        """Add a reading of another device, which is uploaded at once."""
        reading = AddedReading.model_validate({"system_time": self.clock.now(), "value": 120})
        self.world.add_readings(self.person, [reading])

    def pass_time(
        self, hours: int, poll: Callable[[], None], each: Callable[[], None] = lambda: None
    ) -> None:
        """Poll once an hour."""
        for _ in range(hours):
            self.clock.advance(3_600)
            each()
            poll()

    def days(self) -> list[Day]:
        """The stored completeness of the twenty days before yesterday."""
        first, last = (NOON - 20 * DAY).date(), (NOON - DAY).date()
        return list(self.engine.stores.completeness.between("ada", first, last))

    def missing(self) -> list[int]:
        """The instants of readings that Dexcom serves by now and that are not stored."""
        shown = self.engine.shown("ada", self.history_from)
        return sorted(shown - self.engine.stored("ada", self.history_from))


# The method that polls.
BY_THE_ENGINE, BY_A_WATERMARK = "sync", "fetch_since_the_newest"


def three_hours_late(poll: str) -> LateDataCase:
    """The phone's readings are served after three hours, while another device's readings are current."""
    case = LateDataCase(PHONE, upload_delay=3 * HOUR)
    case.connect()
    newest_s = max(case.engine.stored("ada", case.history_from))
    assert newest_s <= unix_s(NOON - 3 * HOUR)
    case.pass_time(8, getattr(case, poll), each=case.measure_now)
    return case


def out_of_reach(poll: str) -> LateDataCase:
    """A phone without network for ten hours sends its newest readings first, the oldest two hours later."""
    case = LateDataCase(PHONE)
    case.connect()
    hold = case.world.add_fault(LateUploads(user=PHONE, delay_s=86_400, newest_first_s=7_200))
    case.pass_time(10, getattr(case, poll))
    assert max(case.engine.stored("ada", case.history_from)) <= unix_s(NOON)
    assert hold is not None
    case.world.clear_faults(hold.number)
    case.pass_time(4, getattr(case, poll))
    return case


def three_weeks_at_once(poll: str) -> LateDataCase:
    """A receiver is plugged in after three weeks, while the readings of another device were current."""
    case = LateDataCase(RECEIVER, history=LONG_HISTORY)
    case.clock.advance(-21 * 86_400)
    hold = case.world.add_fault(LateUploads(user=RECEIVER, delay_s=40 * 86_400))
    assert hold is not None
    case.clock.advance(21 * 86_400)
    case.measure_now()
    case.clock.advance(60)
    case.connect()
    assert len(case.engine.stored("ada", NOON - 20 * DAY)) == 1
    case.pass_time(5, getattr(case, poll), each=case.measure_now)
    case.world.clear_faults(hold.number)
    case.pass_time(2, getattr(case, poll), each=case.measure_now)
    return case


@pytest.mark.parametrize("late", [three_hours_late, out_of_reach])
def test_polls_find_readings_up_to_a_day_late(late: Callable[[str], LateDataCase]) -> None:
    """All readings that Dexcom serves are stored, in any order of their arrival."""
    case = late(BY_THE_ENGINE)

    assert len(case.engine.stored("ada", NOON)) > 50
    assert case.missing() == []


def test_reconciliation_finds_readings_three_weeks_late() -> None:
    """Dexcom names the start of what was uploaded. Polls do not fetch that far back."""
    case = three_weeks_at_once(BY_THE_ENGINE)
    before = case.days()
    assert all(at_s < unix_s(NOON - 16 * HOUR) for at_s in case.missing())
    assert len(case.missing()) > 18 * 288

    case.sync(JobKind.RECONCILE)

    assert case.missing() == []
    after = case.days()
    # The completeness of every day of the history is stored from the beginning, and then counts late
    # readings.
    assert (len(before), sum(day.received + day.late for day in before)) == (20, 0)
    assert (len(after), sum(day.received for day in after)) == (20, 0)
    assert sum(day.late for day in after) > 0
    assert sum(day.missing for day in after) < sum(day.missing for day in before) / 2


@pytest.mark.parametrize("late", [three_hours_late, out_of_reach, three_weeks_at_once])
def test_a_plain_watermark_loses_late_readings(late: Callable[[str], LateDataCase]) -> None:
    """If only newer readings are fetched, some gaps are never filled."""
    case = late(BY_A_WATERMARK)
    case.pass_time(2, case.fetch_since_the_newest)

    assert len(case.missing()) > 30


def test_the_completeness_of_a_history_is_stored() -> None:
    """Each day has its completeness after the backfill, and no reading counts as late."""
    case = LateDataCase(PHONE, history=LONG_HISTORY)
    case.connect()

    days = list(case.engine.stores.completeness.between("ada", (NOON - 40 * DAY).date(), (NOON - DAY).date()))
    assert [day.date for day in days] == [(NOON - number * DAY).date() for number in range(28, 0, -1)]
    assert [day.expected for day in days] == [144] + 27 * [288]
    assert all(day.received > 0 and day.received + day.missing >= day.expected - 2 for day in days)
    assert {day.late for day in days} == {0}
