"""What holds for any answers, in any order; test_hour.py has the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from bg_ingest.readings.merging.hour import HOUR, Hour, merge_hours
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    QUICK,
    RECEIVER,
    SECOND,
    at,
    every_copy_is_noted,
    measured,
    merged,
    reported,
    said,
    wild_answers,
    wild_hours,
)

if TYPE_CHECKING:
    from bg_ingest.readings.model import Reading


@QUICK
@given(wild_hours(), wild_answers(), st.randoms(use_true_random=False))
def test_the_same_answer_again_changes_nothing(hour: Hour, answer: list[Reading], chance: object) -> None:
    """Reading an answer again, in another order and later, writes nothing, whatever is in it."""
    once = merged(hour, answer, LATER + MINUTE * 6)
    assume(every_copy_is_noted(once))
    for later in range(3):
        chance.shuffle(answer)  # type: ignore[attr-defined]  # hypothesis' Random.
        again, report = reported(once, answer, LATER + MINUTE * (6 + later))
        assert again == once
        assert (report.stored, report.revised, report.changed) == (0, 0, False)


@QUICK
@given(wild_hours(), wild_answers(), st.data())
def test_the_order_within_an_answer_does_not_matter(
    hour: Hour, answer: list[Reading], data: st.DataObject
) -> None:
    """An answer is a set of records."""
    assert merged(hour, answer) == merged(hour, data.draw(st.permutations(answer)))


@QUICK
@given(wild_answers(), st.data())
def test_an_answer_may_be_cut_and_saved_again_in_pieces(answer: list[Reading], data: st.DataObject) -> None:
    """Whatever part of an answer is saved once more, when all of it is there already, changes nothing."""
    once = merged(Hour(FIVE), answer)
    assume(every_copy_is_noted(once))
    part = data.draw(st.lists(st.sampled_from(answer))) if answer else []

    assert merged(once, part) == once


@QUICK
@given(wild_hours(), wild_answers())
def test_nothing_is_lost(hour: Hour, answer: list[Reading]) -> None:
    """Every instant stays where it was, every version stays, and each record has a reading or a note."""
    after, report = reported(hour, answer)
    assume(every_copy_is_noted(after))

    known = {stored.reading.at: stored for stored in after.readings}
    noted = {(copy.device, copy.at, copy.transmitter_ticks) for s in after.readings for copy in s.copies}
    for before in hour.readings:
        assert set(before.versions) <= set(known[before.reading.at].versions)
    for record in answer:
        its_own = known.get(record.at)
        assert its_own or (record.device, record.at, record.transmitter_ticks) in noted
    assert report.stored == len(after.readings) - len(hour.readings)
    assert report.stored + report.revised + report.duplicates == len(answer)
    assert min(report.stored, report.revised, report.duplicates) >= 0


@QUICK
@given(st.lists(st.sampled_from([110, 111, 112]), min_size=1, max_size=8))
def test_the_newest_revision_wins_and_the_earlier_stay(values: list[int]) -> None:
    """Fetch after fetch the last value is served, also one that was there before, and each change is kept."""
    hour = Hour(FIVE)
    for n, value in enumerate(values):
        hour = merged(hour, [measured(at(5), value)], LATER + MINUTE * n)

    (stored,) = hour.readings
    changes = [value for n, value in enumerate(values) if n == 0 or value != values[n - 1]]
    assert [version.reading.mg_dl for version in stored.versions] == changes
    assert stored.revision == len(changes) - 1


@QUICK
@given(st.data())
def test_answers_may_be_saved_in_any_order(data: st.DataObject) -> None:
    """What one source says ends the same, whichever of its answers is saved first, cut in any way."""
    answers = []
    for fetch in range(data.draw(st.integers(1, 4))):
        # Values only ever move on: a value that comes back is what no order but that of the fetches can tell.
        present = data.draw(st.sets(st.integers(0, 5)))
        moved_on = data.draw(st.integers(fetch, fetch + 1))
        answers.append((LATER + MINUTE * fetch, [measured(at(5 * n), 100 + moved_on // 2) for n in present]))
    pieces = [(fetched_at, [record]) for fetched_at, records in answers for record in records]

    in_order, any_order = Hour(FIVE), Hour(FIVE)
    for fetched_at, records in answers:
        in_order = merged(in_order, records, fetched_at)
    for fetched_at, records in data.draw(st.permutations(pieces)):
        any_order = merged(any_order, records, fetched_at)

    assert said(any_order.readings) == said(in_order.readings)


@QUICK
@given(wild_hours(), wild_answers())
def test_an_older_fetch_saved_late_never_overrides(hour: Hour, answer: list[Reading]) -> None:
    """What is served came from the newest fetch, not from the last writer."""
    served = {stored.reading.at: stored.reading for stored in hour.readings}
    after = merged(hour, answer, LATER - MINUTE)

    assert {s.reading.at: s.reading for s in after.readings if s.reading.at in served} == served


@QUICK
@given(st.data())
def test_each_measurement_counts_once(data: st.DataObject) -> None:
    """Two devices, clocks up to a minute apart, any part of a series in any order, any part again."""
    apart = SECOND * data.draw(st.integers(-60, 60))
    seen = data.draw(st.sets(st.tuples(st.integers(0, 30), st.sampled_from([PHONE, RECEIVER]))))
    records = [
        measured(FIVE + MINUTE * 5 * n + (apart if device is RECEIVER else SECOND), 100 + n, device, ticks=n)
        for n, device in sorted(seen, key=str)
    ]
    hours = {
        start: Hour(start) for start in (FIVE - HOUR, FIVE, FIVE + HOUR, FIVE + HOUR * 2, FIVE + HOUR * 3)
    }
    fetched_at = LATER
    for record in data.draw(st.permutations(records)):
        fetched_at += MINUTE
        hours = merge_hours(hours, [record], fetched_at=fetched_at, stored_at=fetched_at)

    readings = [stored for hour in hours.values() for stored in hour.readings]
    assert sorted(stored.reading.transmitter_ticks or 0 for stored in readings) == sorted(
        {n for n, _ in seen}
    )
    part = data.draw(st.lists(st.sampled_from(records))) if records else []
    assert merge_hours(hours, part, fetched_at=fetched_at + MINUTE, stored_at=fetched_at) == hours
