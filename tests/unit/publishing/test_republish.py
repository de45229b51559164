from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume, given

from bg_ingest.publishing.republish import events_of_hour, history, republish
from bg_ingest.readings.stored.stored_reading import Hour, hour_change
from tests.support.sinks import MemorySink
from tests.unit.publishing.sample_changes import USER, events_between, ids, saved, wild_saves
from tests.unit.readings.made_up import FIVE, LATER, QUICK, measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.readings.stored.stored_reading import StoredReading

HOURS = [
    saved(Hour(start), [measured(start), measured(start + timedelta(minutes=5))], LATER)
    for start in (FIVE + timedelta(hours=n) for n in range(4))
]


def _nothing_removed(states: Sequence[Hour]) -> bool:
    """Whether no reading was folded into another, which the table no longer shows."""
    return all(not hour_change(before, after).removed for before, after in pairwise(states))


def _without_copies(readings: Sequence[StoredReading]) -> list[object]:
    return [replace(stored, copies=()) for stored in readings]


def test_hours_are_published_again_in_order() -> None:
    """The result counts the hours and the events."""
    sink = MemorySink()
    done = republish(USER, iter(HOURS), sink=sink, time_left_s=lambda: 60.0)

    assert (done.hours, done.events, done.resume_from, done.error) == (4, 4, None, None)
    assert ids(sink.arrived) == [each for hour in HOURS for each in ids(list(events_of_hour(USER, hour)))]


def test_a_sink_that_goes_down_gives_the_hour_to_resume_from() -> None:
    """It is the first hour of which not all events arrived."""
    done = republish(USER, iter(HOURS), sink=MemorySink(room=2), time_left_s=lambda: 60.0)

    assert (done.hours, done.events, done.error) == (2, 2, "SinkDown")
    assert done.resume_from == HOURS[2].start


def test_when_time_is_up_the_result_has_the_hour_to_resume_from() -> None:
    """Publishing stops before Lambda would end the function."""
    left_s = iter([60.0, 30.0, 9.0])
    sink = MemorySink()
    done = republish(USER, iter(HOURS), sink=sink, time_left_s=lambda: next(left_s))

    assert (done.hours, done.resume_from, done.error) == (2, HOURS[2].start, None)
    assert len(sink.arrived) == 2


@QUICK
@given(wild_saves())
def test_history_restores_every_state_of_an_hour(states: list[Hour]) -> None:
    """The last state is enough. States that differ in copies only count as one."""
    assume(_nothing_removed(states))
    seen = [_without_copies(state.readings) for state in states]
    wanted = [state for number, state in enumerate(seen) if number == 0 or state != seen[number - 1]]

    assert [_without_copies(state.readings) for state in history(states[-1])] == wanted


@QUICK
@given(wild_saves())
def test_republished_events_equal_the_first_ones(states: list[Hour]) -> None:
    """The events that are made from the table have the ids, times and data of those from the stream."""
    assume(_nothing_removed(states))
    live = [event for before, after in pairwise(states) for event in events_between(before, after)]
    again = list(events_of_hour(USER, states[-1]))

    assert ids(again) == ids(live)
    assert [(event.time, event.data) for event in again] == [(event.time, event.data) for event in live]


@QUICK
@given(wild_saves())
def test_events_of_different_writes_have_different_ids(states: list[Hour]) -> None:
    """A consumer that ignores ids it has seen still sees every change."""
    live = [event for before, after in pairwise(states) for event in events_between(before, after)]

    assert len(set(ids(live))) == len(live)
