from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.publishing.events import reading_events
from bg_ingest.readings.as_of import columns_before_removals
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.revisions import REMOVALS_MAX, with_readmitted, without_deleted
from bg_ingest.readings.stored.hour_items import hour_from_item
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX, Hour, Removal, hour_change
from bg_ingest.readings.stored.writer import to_text
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, PHONE, RECEIVER, SILENT, at, measured

if TYPE_CHECKING:
    from bg_ingest.readings.model import Reading

REQUESTS = [LATER + number * MINUTE for number in range(6)]


def saved(hour: Hour, records: list[Reading], request: int) -> Hour:
    """The hour after the answer to this request was saved."""
    (after,) = merge_hours(
        {FIVE: hour}, records, fetched_at=REQUESTS[request], stored_at=REQUESTS[request]
    ).values()
    return after


def deleted(hour: Hour, records: list[Reading], request: int) -> Hour:
    """The hour after the answer to this request said that the records were deleted."""
    return without_deleted(hour, records, noticed_at=REQUESTS[request], removed_at=REQUESTS[request])


def served(hour: Hour) -> dict[int, int]:
    """The values by minute."""
    return {it.reading.at.minute: it.reading.mg_dl for it in hour.readings}


STORED = saved(Hour(FIVE), [measured(at(0)), measured(at(5), 120)], 0)


def test_a_deleted_record_takes_its_reading_out() -> None:
    """The reading is kept as a removal, with all it was."""
    after = deleted(STORED, [measured(at(5), 120)], 1)

    assert served(after) == {0: 110}
    assert after.removals == (Removal(STORED.readings[1], REQUESTS[1], REQUESTS[1]),)
    assert hour_change(STORED, after).deleted == (STORED.readings[1],)
    assert hour_change(STORED, after).removed == ()


def test_removing_again_changes_nothing() -> None:
    """The provider says so in every answer."""
    after = deleted(STORED, [measured(at(5))], 1)

    assert deleted(after, [measured(at(5))], 2) == after


def test_a_record_of_another_device_removes_nothing() -> None:
    """Only its own source can delete a reading; an unknown one has no reading to delete."""
    assert deleted(STORED, [measured(at(5), device=RECEIVER), measured(at(40))], 1) == STORED


def test_a_reading_with_a_copy_stays() -> None:
    """The other device has not deleted its record."""
    both = saved(STORED, [measured(at(5), 120, RECEIVER)], 1)

    assert deleted(both, [measured(at(5), 120)], 2) == both


def test_an_older_answer_does_not_bring_it_back() -> None:
    """The answer to an earlier request that is saved late is ignored for this reading."""
    after = saved(deleted(STORED, [measured(at(5))], 2), [measured(at(5), 120), measured(at(10))], 1)

    assert served(after) == {0: 110, 10: 110}


def test_an_older_deletion_does_not_remove_a_newer_reading() -> None:
    """The deletion was noticed before the request that fetched the reading again."""
    assert deleted(saved(Hour(FIVE), [measured(at(5))], 3), [measured(at(5))], 2).removals == ()


def test_a_newer_answer_brings_it_back_as_the_next_version() -> None:
    """Its versions from before are kept, and the event has another id."""
    gone = deleted(STORED, [measured(at(5))], 1)
    back = saved(gone, [measured(at(5), 121)], 2)

    assert served(back) == {0: 110, 5: 121}
    assert (back.readings[1].revision, back.removals) == (1, ())
    (first,) = reading_events("ada", hour_change(replace(STORED, readings=STORED.readings[:1]), STORED))
    (again,) = reading_events("ada", hour_change(gone, back))
    assert (first.event_type, again.event_type) == ("bg.readings.stored",) * 2
    assert first.event_id != again.event_id


def test_a_reading_comes_back_with_its_versions() -> None:
    """The record is merged as any other, and no more than EARLIER_MAX versions are kept."""
    many = replace(
        STORED.readings[1], earlier=STORED.readings[1].versions * EARLIER_MAX, revision=EARLIER_MAX
    )
    gone = deleted(replace(STORED, readings=(many,)), [measured(at(5))], 1)
    record = measured(at(5), 121)
    times = {"fetched_at": REQUESTS[2], "stored_at": REQUESTS[2]}
    hours, admitted = with_readmitted({FIVE: gone}, [record], **times)

    (back,) = hours[FIVE].readings
    assert (back.earlier, back.revision) == (many.earlier, EARLIER_MAX + 1)
    assert admitted == [record]


def test_a_deletion_is_as_new_as_its_request() -> None:
    """It removes what the same request fetched, and only a later one brings that back."""
    gone = deleted(STORED, [measured(at(5))], 0)

    assert served(gone) == {0: 110}
    assert saved(gone, [measured(at(5))], 0) == gone


def test_earlier_removals_stay() -> None:
    """The oldest reading is first."""
    gone = deleted(deleted(STORED, [measured(at(5))], 1), [measured(at(0))], 2)

    assert [removal.stored.reading.at for removal in gone.removals] == [at(0), at(5)]


def test_a_deletion_counts_in_whole_seconds() -> None:
    """Readings have whole seconds, and so has the time of the removal."""
    part = timedelta(milliseconds=400)
    gone = without_deleted(
        STORED, [measured(at(5) + part)], noticed_at=REQUESTS[1], removed_at=REQUESTS[1] + part
    )

    assert [removal.removed_at for removal in gone.removals] == [REQUESTS[1]]


def test_another_source_takes_the_place_of_a_removed_reading() -> None:
    """Its reading starts a history of its own, and the first source's record becomes a copy of it."""
    gone = deleted(STORED, [measured(at(5))], 1)
    taken = saved(gone, [measured(at(5), 125, RECEIVER)], 2)
    after = saved(taken, [measured(at(5), 126)], 3)

    assert (served(taken), taken.readings[1].revision) == ({0: 110, 5: 125}, 0)
    assert (taken.removals, after.removals) == (gone.removals, gone.removals)
    assert (served(after), [copy.device for copy in after.readings[1].copies]) == ({0: 110, 5: 125}, [PHONE])


def test_a_removal_is_published_as_an_event() -> None:
    """The event names the instant and the reason."""
    after = deleted(STORED, [measured(at(5))], 1)
    (event,) = reading_events("ada", hour_change(STORED, after), removed_at=LATER)

    assert event.event_type == "bg.readings.removed"
    assert (event.data["reason"], event.data["timestamps"]) == ("deleted", ["2026-11-21T05:05:00Z"])


def test_a_removed_reading_is_served_as_of_earlier() -> None:
    """Before the removal it was there."""
    after = deleted(STORED, [measured(at(5))], 3)

    assert list(columns_before_removals(after, REQUESTS[2]).columns.mg_dl) == [110, 120]
    assert list(columns_before_removals(after, REQUESTS[3]).columns.mg_dl) == [110]
    assert list(columns_before_removals(after, LATER - timedelta(hours=1)).columns.mg_dl) == []


def test_few_removals_are_kept() -> None:
    """An hour does not grow with every reading that was deleted."""
    seconds = [FIVE + timedelta(seconds=number) for number in range(REMOVALS_MAX + 5)]
    records = [measured(second, device=SILENT, ticks=number) for number, second in enumerate(seconds)]
    after = deleted(saved(Hour(FIVE), records, 0), records, 1)

    assert (after.readings, len(after.removals)) == ((), REMOVALS_MAX)


MOVES = st.tuples(
    st.sampled_from(["save", "delete"]),
    st.lists(st.sampled_from([0, 5, 10]), min_size=1, max_size=3, unique=True),
    st.integers(0, 5),
    st.integers(100, 102),
)


@given(st.lists(MOVES, max_size=8))
def test_a_reading_is_served_or_removed_never_both(moves: list[tuple[str, list[int], int, int]]) -> None:
    """After any moves in any order; the last move by request time decides about each reading."""
    hour = Hour(FIVE)
    for move, minutes, request, mg_dl in moves:
        records = [measured(at(minute), mg_dl, PHONE) for minute in minutes]
        before = hour
        hour = saved(hour, records, request) if move == "save" else deleted(hour, records, request)
        change = hour_change(before, hour)
        assert len(before.readings) + len(change.stored) - len(change.deleted) == len(hour.readings)
    instants = [it.reading.at for it in hour.readings]
    removed = [it.stored.reading.at for it in hour.removals]
    assert sorted({*instants, *removed}) == sorted(instants + removed)
    assert all(it.stored.fetched_at <= it.noticed_at for it in hour.removals)
    times = [[it.noticed_at.isoformat(), it.removed_at.isoformat()] for it in hour.removals]
    item = {
        "sk": "2026-11-21T05",
        "version": 1,
        "readings": to_text(FIVE, hour.readings),
        "removed": [to_text(FIVE, [it.stored for it in hour.removals]), times],
    }
    assert hour_from_item(item) == replace(hour, version=1)
