from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import assume, given

from bg_ingest.publishing.changes import history, hour_change
from bg_ingest.publishing.republish import events_of_hour
from bg_ingest.readings.merging.hour import Hour, report
from tests.unit.publishing.made_up import USER, events_between, ids, saved, wild_saves
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, QUICK, RECEIVER, at, measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.readings.stored_reading import StoredReading


def _told_apart(states: Sequence[Hour]) -> bool:
    """Whether nothing was folded: a reading that is gone cannot be told again."""
    return all(not hour_change(before, after).gone for before, after in pairwise(states))


def _served(readings: Sequence[StoredReading]) -> list[object]:
    return [replace(stored, copies=()) for stored in readings]


def test_a_new_reading_is_stored_and_a_changed_one_revised() -> None:
    """Each is one thing or the other, and what did not change is neither."""
    before = saved(Hour(FIVE), [measured(at(1), 110), measured(at(6), 120)], LATER)
    after = saved(before, [measured(at(6), 125), measured(at(11), 130)], LATER + MINUTE)
    change = hour_change(before, after)

    assert [stored.reading.mg_dl for stored in change.stored] == [130]
    assert [(one.before.reading.mg_dl, one.now.reading.mg_dl) for one in change.revised] == [(120, 125)]
    assert [[version.reading.mg_dl for version in one.added] for one in change.revised] == [[125]]
    assert change.gone == ()


def test_a_copy_that_is_noted_is_no_change() -> None:
    """The receiver's record of what the phone reported tells nobody anything new."""
    before = saved(Hour(FIVE), [measured(at(1))], LATER)
    after = saved(before, [measured(at(1), device=RECEIVER)], LATER + MINUTE)

    assert after != before
    assert events_between(before, after) == []


@QUICK
@given(wild_saves())
def test_changes_are_what_the_job_counts(states: list[Hour]) -> None:
    """As many stored and revised readings are told as the job says."""
    for before, after in pairwise(states):
        change, counted = hour_change(before, after), report(before, after, 0)
        assert len(change.stored) - len(change.gone) == counted.stored
        assert len(change.revised) == counted.revised


@QUICK
@given(wild_saves())
def test_an_hour_remembers_every_state_it_was_in(states: list[Hour]) -> None:
    """From the last image alone; only when a copy was noted is not told by it."""
    assume(_told_apart(states))
    seen = [_served(state.readings) for state in states]
    wanted = [state for number, state in enumerate(seen) if number == 0 or state != seen[number - 1]]

    assert [_served(state.readings) for state in history(states[-1])] == wanted


@QUICK
@given(wild_saves())
def test_published_again_is_published_under_the_same_ids(states: list[Hour]) -> None:
    """What the stream told write by write, the table tells in the same words."""
    assume(_told_apart(states))
    live = [event for before, after in pairwise(states) for event in events_between(before, after)]
    again = list(events_of_hour(USER, states[-1]))

    assert ids(again) == ids(live)
    assert [(event.time, event.data) for event in again] == [(event.time, event.data) for event in live]


@QUICK
@given(wild_saves())
def test_no_two_writes_share_an_id(states: list[Hour]) -> None:
    """A consumer that keeps each id once keeps every change."""
    live = [event for before, after in pairwise(states) for event in events_between(before, after)]

    assert len(set(ids(live))) == len(live)
