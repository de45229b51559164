"""Properties of merging that hold for any answers in any order. Examples are in test_hour.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from bg_ingest.clock import HOUR
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.stored.stored_reading import Hour
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    QUICK,
    RECEIVER,
    SECOND,
    at,
    contents,
    counted,
    every_copy_is_noted,
    measured,
    merged,
    wild_answers,
    wild_hours,
)

if TYPE_CHECKING:
    from bg_ingest.readings.model import Reading


@QUICK
@given(wild_hours(), wild_answers(), st.randoms(use_true_random=False))
def test_the_same_answer_again_changes_nothing(hour: Hour, answer: list[Reading], chance: object) -> None:
    """Merging an answer again, later and in another order, changes no reading and no copy."""
    once = merged(hour, answer, LATER + MINUTE * 6)
    assume(every_copy_is_noted(once))
    for later in range(3):
        chance.shuffle(answer)  # type: ignore[attr-defined]  # hypothesis' Random.
        again, counts = counted(once, answer, LATER + MINUTE * (6 + later))
        assert again == once
        assert counts == (0, 0, len(answer))


@QUICK
@given(wild_hours(), wild_answers(), st.data())
def test_the_order_within_an_answer_does_not_matter(
    hour: Hour, answer: list[Reading], data: st.DataObject
) -> None:
    """An answer is a set of records."""
    assert merged(hour, answer) == merged(hour, data.draw(st.permutations(answer)))


@QUICK
@given(wild_answers(), st.data())
def test_a_part_of_a_stored_answer_changes_nothing(answer: list[Reading], data: st.DataObject) -> None:
    """If all of an answer is stored, merging any part of it again changes nothing."""
    once = merged(Hour(FIVE), answer)
    assume(every_copy_is_noted(once))
    part = data.draw(st.lists(st.sampled_from(answer))) if answer else []

    assert merged(once, part) == once


@QUICK
@given(wild_hours(), wild_answers())
def test_nothing_is_lost(hour: Hour, answer: list[Reading]) -> None:
    """Every instant and every version stays, and each record has a reading or is noted as a copy."""
    after, counts = counted(hour, answer)
    assume(every_copy_is_noted(after))

    known = {stored.reading.at: stored for stored in after.readings}
    noted = {(copy.device, copy.at, copy.transmitter_ticks) for s in after.readings for copy in s.copies}
    for before in hour.readings:
        assert set(before.versions) <= set(known[before.reading.at].versions)
    for record in answer:
        its_own = known.get(record.at)
        assert its_own or (record.device, record.at, record.transmitter_ticks) in noted
    assert counts.stored == len(after.readings) - len(hour.readings)
    assert counts.stored + counts.revised + counts.duplicates == len(answer)
    assert min(counts.stored, counts.revised, counts.duplicates) >= 0


@QUICK
@given(st.lists(st.sampled_from([110, 111, 112]), min_size=1, max_size=8))
def test_the_newest_revision_wins_and_the_earlier_stay(values: list[int]) -> None:
    """The value of the newest fetch is served, also a repeated one, and each change is kept."""
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
    """The answers of one source give the same readings, in any order and in any parts."""
    answers = []
    for fetch in range(data.draw(st.integers(1, 4))):
        # Values never come back, because a repetition stores nothing, and then the order of saving matters.
        present = data.draw(st.sets(st.integers(0, 5)))
        moved_on = data.draw(st.integers(fetch, fetch + 1))
        answers.append((LATER + MINUTE * fetch, [measured(at(5 * n), 100 + moved_on // 2) for n in present]))
    pieces = [(fetched_at, [record]) for fetched_at, records in answers for record in records]

    in_order, any_order = Hour(FIVE), Hour(FIVE)
    for fetched_at, records in answers:
        in_order = merged(in_order, records, fetched_at)
    for fetched_at, records in data.draw(st.permutations(pieces)):
        any_order = merged(any_order, records, fetched_at)

    assert contents(any_order.readings) == contents(in_order.readings)


@QUICK
@given(wild_hours(), wild_answers())
def test_an_older_fetch_saved_late_never_overrides(hour: Hour, answer: list[Reading]) -> None:
    """The served version comes from the newest fetch, not from the last writer."""
    served = {stored.reading.at: stored.reading for stored in hour.readings}
    after = merged(hour, answer, LATER - MINUTE)

    assert {s.reading.at: s.reading for s in after.readings if s.reading.at in served} == served


@QUICK
@given(st.data())
def test_each_measurement_counts_once(data: st.DataObject) -> None:
    """For two devices with clocks up to a minute apart, and parts of a series in any order and repeated."""
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
