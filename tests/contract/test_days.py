from datetime import timedelta

from bg_ingest.dynamo import Table
from bg_ingest.readings.completeness import Day
from bg_ingest.readings.gaps import Gap
from bg_ingest.sync.completeness_store import CompletenessStore
from tests.support.fakes import NOON, FakeClock

DAY = timedelta(days=1)


def _day(number: int, missing: int = 0) -> Day:
    gaps = (Gap(NOON, NOON + timedelta(hours=1), missing),) if missing else ()
    return Day((NOON + number * DAY).date(), 285 - missing, 3, missing, 0, gaps)


def test_saved_days_are_read_back_unchanged(users_table: Table, clock: FakeClock) -> None:
    """Only the requested days of the user are returned, oldest first and with their gaps."""
    days = CompletenessStore(users_table, clock)
    days.save("ada", [_day(number, missing=number % 2 * 11) for number in range(5)])
    days.save("bob", [_day(1)])

    found = list(days.between("ada", _day(1).date, _day(3).date))

    assert found == [_day(1, 11), _day(2), _day(3, 11)]


def test_a_second_save_replaces_a_day(users_table: Table, clock: FakeClock) -> None:
    """A gap that was filled is not returned any more."""
    days = CompletenessStore(users_table, clock)
    days.save("ada", [_day(0, missing=11)])
    days.save("ada", [_day(0)])

    assert list(days.between("ada", _day(0).date, _day(0).date)) == [_day(0)]


def test_a_day_of_an_earlier_version_is_read(users_table: Table, clock: FakeClock) -> None:
    """It counted late readings among the received and knew no pending ones."""
    day = (NOON - DAY).date()
    users_table.put(
        {
            "pk": "ada",
            "sk": f"day#{day}",
            "expected": 288,
            "received": 200,
            "late": 3,
            "missing": 88,
            "gaps": [],
        }
    )

    (found,) = CompletenessStore(users_table, clock).between("ada", day, day)
    assert (found.expected, found.received, found.late, found.missing) == (288, 197, 3, 88)


def test_nothing_is_pending_of_an_old_day(users_table: Table, clock: FakeClock) -> None:
    """A day that was stored before it ended and never again lacks the rest."""
    days = CompletenessStore(users_table, clock)
    day = Day((NOON - DAY).date(), 100, 0, 2, 40, ())
    days.save("ada", [day])

    (found,) = days.between("ada", day.date, day.date)
    assert (found.missing, found.pending) == (42, 0)
