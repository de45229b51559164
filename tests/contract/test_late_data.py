"""Data that the simulated Dexcom serves late in every way the real one does, and what a watermark loses."""

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.readings.completeness import Day

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
# A phone is a day late at most, a receiver weeks.
SHORT_HISTORY, LONG_HISTORY = timedelta(days=3), timedelta(days=28)
PHONE, RECEIVER = "SandboxUser7", "SandboxUser4"


class Scene:
    """Ada connects at noon; from then on she is polled, one way or another."""

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
        """She logs in, and her history is fetched."""
        self.history_from = self.clock.now() - self.history
        self.engine.connect("ada", self.person.name, self.history_from)
        self.sync(JobKind.BACKFILL)

    def sync(self, kind: JobKind = JobKind.INCREMENTAL) -> None:
        """What the engine does."""
        report = self.engine.sync(self.engine.order("ada", kind), self.http)
        assert report.job is not None
        assert report.job.failure is None

    def ask_since_the_newest(self) -> None:
        """What a plain watermark does: ask for what is newer than the newest reading that is stored."""
        newest = self.engine.stores.reading_store.latest("ada")
        assert newest is not None
        now = self.clock.now()
        provider = self.engine.source(self.http, lambda: 110.0)
        fetched = provider.readings("ada", newest.reading.at, now)
        self.engine.stores.reading_store.save("ada", fetched.readings, now)

    def measure_now(self) -> None:
        """A reading of another device, that is uploaded the moment it is made."""
        reading = AddedReading.model_validate({"system_time": self.clock.now(), "value": 120})
        self.world.add_readings(self.person, [reading])

    def pass_time(
        self, hours: int, poll: Callable[[], None], each: Callable[[], None] = lambda: None
    ) -> None:
        """A poll an hour."""
        for _ in range(hours):
            self.clock.advance(3_600)
            each()
            poll()

    def days(self) -> list[Day]:
        """What is on record of the twenty days before yesterday."""
        first, last = (NOON - 20 * DAY).date(), (NOON - DAY).date()
        return list(self.engine.stores.completeness.between("ada", first, last))

    def missing(self) -> list[int]:
        """What Dexcom shows by now and is not stored."""
        shown = self.engine.shown("ada", self.history_from)
        return sorted(shown - self.engine.stored("ada", self.history_from))


# By which of its methods a scene is polled.
BY_THE_ENGINE, BY_A_WATERMARK = "sync", "ask_since_the_newest"


def three_hours_late(poll: str) -> Scene:
    """Everything of the phone is served after three hours, while another device's readings are current."""
    scene = Scene(PHONE, upload_delay=3 * HOUR)
    scene.connect()
    newest_s = max(scene.engine.stored("ada", scene.history_from))
    assert newest_s <= unix_s(NOON - 3 * HOUR)
    scene.pass_time(8, getattr(scene, poll), each=scene.measure_now)
    return scene


def out_of_reach(poll: str) -> Scene:
    """A phone has no network for ten hours, then sends the newest first, the oldest two hours later."""
    scene = Scene(PHONE)
    scene.connect()
    hold = scene.world.add_fault(LateUploads(user=PHONE, delay_s=86_400, newest_first_s=7_200))
    scene.pass_time(10, getattr(scene, poll))
    assert max(scene.engine.stored("ada", scene.history_from)) <= unix_s(NOON)
    assert hold is not None
    scene.world.clear_faults(hold.number)
    scene.pass_time(4, getattr(scene, poll))
    return scene


def three_weeks_at_once(poll: str) -> Scene:
    """A receiver is plugged in after three weeks, while the readings of another device were current."""
    scene = Scene(RECEIVER, history=LONG_HISTORY)
    scene.clock.advance(-21 * 86_400)
    hold = scene.world.add_fault(LateUploads(user=RECEIVER, delay_s=40 * 86_400))
    assert hold is not None
    scene.clock.advance(21 * 86_400)
    scene.measure_now()
    scene.clock.advance(60)
    scene.connect()
    assert len(scene.engine.stored("ada", NOON - 20 * DAY)) == 1
    scene.pass_time(5, getattr(scene, poll), each=scene.measure_now)
    scene.world.clear_faults(hold.number)
    scene.pass_time(2, getattr(scene, poll), each=scene.measure_now)
    return scene


@pytest.mark.parametrize("late", [three_hours_late, out_of_reach])
def test_what_is_a_day_late_at_most_is_found_by_polls_alone(late: Callable[[str], Scene]) -> None:
    """In whatever order it comes, nothing that Dexcom shows is missing."""
    scene = late(BY_THE_ENGINE)

    assert len(scene.engine.stored("ada", NOON)) > 50
    assert scene.missing() == []


def test_what_a_receiver_brings_after_three_weeks_is_found_by_the_reconciliation() -> None:
    """Dexcom says that something was uploaded, and from when on; polls alone do not look there."""
    scene = three_weeks_at_once(BY_THE_ENGINE)
    before = scene.days()
    assert all(at_s < unix_s(NOON - 16 * HOUR) for at_s in scene.missing())
    assert len(scene.missing()) > 18 * 288

    scene.sync(JobKind.RECONCILE)

    assert scene.missing() == []
    after = scene.days()
    # Every day of the history is on record from the beginning, and then says what came so late.
    assert (len(before), sum(day.received for day in before)) == (20, 0)
    assert (len(after), sum(day.late for day in after)) == (20, sum(day.received for day in after))
    assert sum(day.missing for day in after) < sum(day.missing for day in before) / 2


@pytest.mark.parametrize("late", [three_hours_late, out_of_reach, three_weeks_at_once])
def test_a_plain_watermark_loses_them(late: Callable[[str], Scene]) -> None:
    """Asking for what is newer than the newest reading leaves holes that never fill."""
    scene = late(BY_A_WATERMARK)
    scene.pass_time(2, scene.ask_since_the_newest)

    assert len(scene.missing()) > 30


def test_a_history_says_how_complete_it_is() -> None:
    """Every day of it is on record when it was fetched, and none of it was late."""
    scene = Scene(PHONE, history=LONG_HISTORY)
    scene.connect()

    days = list(
        scene.engine.stores.completeness.between("ada", (NOON - 40 * DAY).date(), (NOON - DAY).date())
    )
    assert [day.date for day in days] == [(NOON - number * DAY).date() for number in range(28, 0, -1)]
    assert [day.expected for day in days] == [144] + 27 * [288]
    assert all(day.received > 0 and day.received + day.missing >= day.expected - 2 for day in days)
    assert {day.late for day in days} == {0}
