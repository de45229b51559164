"""One measurement from two sources: the sensor's own provider, and a relay that has it earlier."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.clock import HOUR, hour_of
from bg_ingest.readings.as_of import reading_as_of
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.identity import RELAYED_APART_MAX
from bg_ingest.readings.merging.revisions import without_deleted
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored.hour_items import READERS, read_text
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX, Hour, StoredReading, hour_change
from bg_ingest.readings.stored.writer import to_text
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    QUICK,
    RECEIVER,
    SECOND,
    at,
    measured,
    merged,
)

RELAY = Device(display="xDrip-DexcomG6", relay="a-relay")


def relayed(when: datetime, mg_dl: int = 110) -> Reading:
    """The record of a relay: it names no transmitter."""
    return Reading(when, mg_dl, "flat", device=RELAY)


def test_the_relayed_reading_is_served_first() -> None:
    """Until the provider has the measurement, the relayed one is served."""
    (stored,) = merged(Hour(FIVE), [relayed(at(5))]).readings

    assert (stored.reading.mg_dl, stored.reading.device) == (110, RELAY)


def test_the_providers_version_replaces_the_relayed_one() -> None:
    """It is a revision at the same instant, with its own device; the relayed version is kept."""
    before = merged(Hour(FIVE), [relayed(at(5, 4))])
    after = merged(before, [measured(at(5, 6))], LATER + MINUTE)

    (stored,) = after.readings
    assert (stored.reading.at, stored.reading.device, stored.revision) == (at(5, 4), PHONE, 1)
    assert stored.reading.transmitter_ticks == measured(at(5, 6)).transmitter_ticks
    assert [version.reading.device for version in stored.earlier] == [RELAY]
    assert {(copy.device, copy.at) for copy in stored.copies} == {(RELAY, at(5, 4)), (PHONE, at(5, 6))}
    assert [revision.now for revision in hour_change(before, after).revised] == [stored]


def test_a_replaced_reading_keeps_few_versions() -> None:
    """No more than EARLIER_MAX relayed versions stay."""
    first = StoredReading(relayed(at(5)), LATER, revision=EARLIER_MAX)
    many = replace(first, earlier=first.versions * EARLIER_MAX)
    (stored,) = merged(Hour(FIVE, (many,)), [measured(at(5))], LATER + MINUTE).readings

    assert (stored.earlier, stored.revision) == (many.earlier, EARLIER_MAX + 1)


def test_a_relayed_copy_of_an_own_reading_changes_nothing() -> None:
    """The provider's version stays served, and the relayed record is noted."""
    before = merged(Hour(FIVE), [measured(at(5, 6))])
    (stored,) = merged(before, [relayed(at(5, 4))], LATER + MINUTE).readings

    assert (stored.reading, stored.revision) == (before.readings[0].reading, 0)
    assert [copy.device for copy in stored.copies] == [RELAY]


def test_another_value_is_another_measurement() -> None:
    """Two sensors that are worn at once give two readings."""
    hour = merged(Hour(FIVE), [relayed(at(5, 4), 140)])

    assert [stored.reading.mg_dl for stored in merged(hour, [measured(at(5, 6))]).readings] == [140, 110]


def test_a_record_further_away_is_another_measurement() -> None:
    """The limit itself still belongs to the reading, and one second more does not."""
    hour = merged(Hour(FIVE), [relayed(at(5))])

    assert len(merged(hour, [measured(at(5) + RELAYED_APART_MAX)]).readings) == 1
    assert len(merged(hour, [measured(at(5) + RELAYED_APART_MAX + SECOND)]).readings) == 2


@pytest.mark.parametrize(("before_s", "after_s", "nearest"), [(20, 15, 1), (15, 20, 0), (15, 15, 0)])
def test_the_nearest_reading_counts(before_s: int, after_s: int, nearest: int) -> None:
    """The earlier reading of the provider counts if two are as near."""
    own = [measured(at(5) - before_s * SECOND, ticks=1), measured(at(5) + after_s * SECOND, ticks=2)]
    readings = merged(merged(Hour(FIVE), own), [relayed(at(5))]).readings

    assert [bool(stored.copies) for stored in readings] == [nearest == 0, nearest == 1]


def test_a_correction_joins_two_readings() -> None:
    """If the provider corrects its value to the relayed one, the relayed reading becomes a copy."""
    hour = merged(merged(Hour(FIVE), [relayed(at(5, 4), 112)]), [measured(at(5, 6), 110)])
    corrected = merged(hour, [measured(at(5, 6), 112)], LATER + MINUTE)
    joined = merged(corrected, [], LATER + MINUTE)

    (stored,) = joined.readings
    assert (stored.reading.mg_dl, stored.reading.device) == (112, PHONE)
    assert RELAY in {copy.device for copy in stored.copies}


def test_the_provider_corrects_its_own_version() -> None:
    """Its versions follow the relayed one in the order of their fetches, and the newest is served."""
    hour = merged(Hour(FIVE), [relayed(at(5, 4))], LATER + 5 * MINUTE)
    for value, fetched_at in ((110, LATER), (113, LATER + 2 * MINUTE), (112, LATER + MINUTE)):
        hour = merged(hour, [measured(at(5, 6), value)], fetched_at)

    (stored,) = hour.readings
    assert [version.reading.mg_dl for version in stored.versions] == [110, 110, 112, 113]
    assert stored.relayed_versions == 1


def test_the_receiver_finds_a_reading_that_was_relayed_first() -> None:
    """Its ticks name the measurement, also in the answer that replaces the relayed reading."""
    phone, receiver = measured(at(5, 6), ticks=7), measured(at(7), 111, RECEIVER, ticks=7)
    hour = merged(Hour(FIVE), [relayed(at(5, 4))])

    assert len(merged(hour, [phone, receiver]).readings) == 1
    assert len(merged(merged(hour, [phone]), [receiver]).readings) == 1


def test_a_deletion_at_the_relay_leaves_the_providers_reading() -> None:
    """Only what no other source has is removed with its entry."""
    both = merged(merged(Hour(FIVE), [relayed(at(5)), relayed(at(10))]), [measured(at(5))], LATER + MINUTE)
    gone = [relayed(at(5)), relayed(at(10))]
    left = without_deleted(both, gone, noticed_at=LATER + HOUR, removed_at=LATER + HOUR)

    assert [stored.reading.device for stored in left.readings] == [PHONE]
    assert [removal.stored.reading.at for removal in left.removals] == [at(10)]


def test_a_deleted_entry_that_returns_is_a_copy_by_then() -> None:
    """The provider has sent the measurement meanwhile, so the relayed record adds no second reading."""
    hour = without_deleted(
        merged(Hour(FIVE), [relayed(at(5))]),
        [relayed(at(5))],
        noticed_at=LATER + MINUTE,
        removed_at=LATER + MINUTE,
    )
    for apart in (0, 6):
        own = merged(hour, [measured(at(5, apart))], LATER + 2 * MINUTE)
        again = merged(merged(own, [relayed(at(5))], LATER + 3 * MINUTE), [])
        assert [stored.reading.device for stored in again.readings] == [PHONE]


def test_the_relayed_version_is_served_as_of_its_time() -> None:
    """An earlier state is reproduced with the device that was served then."""
    hour = merged(merged(Hour(FIVE), [relayed(at(5))]), [measured(at(5))], LATER + HOUR)
    then = reading_as_of(hour.readings[0], LATER + MINUTE)

    assert then is not None
    assert (then.reading.device, then.revision) == (RELAY, 0)


def test_a_copy_across_a_full_hour_is_recognised() -> None:
    """The relay says 05:59:58 and the provider 06:00:03: one reading in either order."""
    records = [relayed(at(59, 58)), measured(at(60, 3))]
    for order in (records, records[::-1]):
        hours: dict[datetime, Hour] = {}
        for record in order:
            hours = merge_hours(hours, [record], fetched_at=LATER, stored_at=LATER)
        assert [stored.reading.device for hour in hours.values() for stored in hour.readings] == [PHONE]


class Measurement(NamedTuple):
    """One measurement, as each source stamps it, if it has it."""

    number: int
    mg_dl: int
    own_s: int | None
    relay_s: int | None

    def records(self) -> list[Reading]:
        """The record of each source."""
        start = FIVE + MINUTE * self.number
        return [
            record(start + SECOND * second, self.mg_dl)
            for record, second in ((measured, self.own_s), (relayed, self.relay_s))
            if second is not None
        ]


def seconds(low: int, high: int) -> st.SearchStrategy[int | None]:
    """The stamp of a source; None if it lacks the measurement."""
    return st.one_of(st.none(), st.integers(low, high))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Measurement], list[list[Reading]]]:
    """Measurements of one sensor, and the answers of both sources in any order, some of them twice."""
    numbers = draw(st.lists(st.integers(50, 70), min_size=1, max_size=8, unique=True))
    values = st.sampled_from([110, 111, 140])
    measurements = [
        Measurement(number, draw(values), draw(seconds(0, 8)), draw(seconds(-8, 12)))
        for number in sorted(numbers)
    ]
    records = [record for each in measurements for record in each.records()]
    by_source = [[r for r in records if (r.device.relay is None) is own] for own in (True, False)]
    answers = [
        source[first:last]
        for source in by_source
        for first, last in draw(
            st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9)), max_size=3).map(
                lambda cuts: [(0, 9), *cuts]
            )
        )
    ]
    return measurements, draw(st.permutations([answer for answer in answers if answer]))


def merged_in_turn(answers: list[list[Reading]]) -> dict[datetime, Hour]:
    """The hours after these answers, each stored and read again in between."""
    hours: dict[datetime, Hour] = {}
    for number, answer in enumerate(answers):
        fetched_at = LATER + MINUTE * number
        merged_hours = merge_hours(hours, answer, fetched_at=fetched_at, stored_at=fetched_at)
        hours = {start: stored_and_read(hour) for start, hour in merged_hours.items()}
    return hours


def stored_and_read(hour: Hour) -> Hour:
    """The hour after it was written to the table and read again."""
    return replace(hour, readings=read_text(READERS, hour.start, to_text(hour.start, hour.readings)))


def readings_of(hours: dict[datetime, Hour]) -> list[StoredReading]:
    """All readings, oldest first."""
    return [stored for start in sorted(hours) for stored in hours[start].readings]


@QUICK
@given(deliveries())
def test_each_measurement_is_served_once(delivered: tuple[list[Measurement], list[list[Reading]]]) -> None:
    """In any order of arrival: once, and in the provider's version if the provider has it."""
    measurements, answers = delivered
    expected = [
        (each.mg_dl, PHONE if each.own_s is not None else RELAY) for each in measurements if each.records()
    ]
    served = readings_of(merged_in_turn(answers))

    assert [(stored.reading.mg_dl, stored.reading.device) for stored in served] == expected


@QUICK
@given(deliveries())
def test_no_record_of_either_source_is_lost(delivered: tuple[list[Measurement], list[list[Reading]]]) -> None:
    """Each is kept with its source and its own instant: as the reading itself or as a copy."""
    measurements, answers = delivered
    served = readings_of(merged_in_turn(answers))
    known = {(stored.reading.device, stored.reading.at) for stored in served}
    known |= {(copy.device, copy.at) for stored in served for copy in stored.copies}

    records = [record for each in measurements for record in each.records()]
    assert {(record.device, record.at) for record in records} <= known


@QUICK
@given(deliveries(), st.randoms(use_true_random=False))
def test_repeating_both_sources_changes_nothing(
    delivered: tuple[list[Measurement], list[list[Reading]]], order: random.Random
) -> None:
    """Saving the answers again stores, revises and notes nothing, in any order."""
    _, answers = delivered
    hours = merged_in_turn(answers)
    again = hours
    for answer in order.sample(answers, len(answers)):
        again = merge_hours(again, answer, fetched_at=LATER + HOUR, stored_at=LATER + HOUR)

    assert again == hours


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.integration)])
def test_thousands_of_readings_of_two_sources(count: int) -> None:
    """Jittered, late and revised: each is served once, the relayed one in minutes, then the provider's."""
    chance = random.Random(21)  # noqa: S311 - nothing secret.
    quarter = timedelta(minutes=15)
    hours: dict[datetime, Hour] = {}
    value_of: dict[int, int] = {}
    due: dict[int, list[Reading]] = {}
    for number in range(count):
        start = FIVE + 5 * MINUTE * number
        value_of[number] = chance.randrange(60, 250)
        poll = number // 3
        due.setdefault(poll, []).append(relayed(start + SECOND * chance.randrange(-9, 12), value_of[number]))
        own = measured(start + SECOND * chance.randrange(9), value_of[number])
        late = poll + chance.randrange(4, 13)  # One to three hours.
        due.setdefault(late, []).append(own)
        if chance.random() < 0.05:
            value_of[number] += 2
            due.setdefault(late + chance.randrange(1, 30), []).append(replace(own, mg_dl=value_of[number]))
        if chance.random() < 0.05:  # A repetition.
            due.setdefault(late + chance.randrange(-3, 30), []).append(due[poll][-1])
    for poll in sorted(due):
        now = FIVE + quarter * (poll + 1)
        for own_side in (False, True):
            answer = [record for record in due[poll] if (record.device.relay is None) is own_side]
            around = {hour_of(record.at + HOUR * beside) for record in answer for beside in (-1, 0, 1)}
            known = {start: hours.get(start, Hour(start)) for start in around}
            hours |= merge_hours(known, answer, fetched_at=now, stored_at=now)
        if poll * 3 + 2 < count:  # The three measurements of this quarter can be read at its end.
            newest = readings_of(
                {start: hours[start] for start in {hour_of(now - quarter), hour_of(now)} & hours.keys()}
            )
            assert any(now - stored.reading.at <= 6 * MINUTE for stored in newest)

    served = readings_of(hours)
    assert len(served) == count
    assert [stored.reading.mg_dl for stored in served] == list(value_of.values())
    assert {stored.reading.device for stored in served} == {PHONE}
    assert all(stored.relayed_versions == 1 for stored in served)
    assert {copy.device for stored in served for copy in stored.copies} == {RELAY, PHONE}
