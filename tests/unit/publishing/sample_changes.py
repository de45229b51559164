"""Changes of hours, and what tests read from the events about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from bg_ingest.publishing.events import Event, reading_events
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.stored.stored_reading import Hour, hour_change
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, wild_answers

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bg_ingest.readings.model import Reading

USER = "ada"
SOURCE = "https://bg-ingest.dev/development"
REMOVED_AT = LATER + MINUTE * 30


def saved(hour: Hour, records: list[Reading], at: datetime, fetched_before: timedelta = MINUTE) -> Hour:
    """The hour after a save at this time."""
    hours = {hour.start: hour}
    return merge_hours(hours, records, fetched_at=at - fetched_before, stored_at=at)[hour.start]


def events_between(before: Hour, after: Hour, cause: str | None = None) -> list[Event]:
    """The events of one write."""
    return reading_events(USER, hour_change(before, after), cause=cause, removed_at=REMOVED_AT)


@st.composite
def wild_saves(draw: st.DrawFn) -> list[Hour]:
    """The states of an hour after each of several saves, minutes apart, with fetches in any order."""
    states = [Hour(FIVE)]
    for number, (answer, fetched) in enumerate(
        draw(st.lists(st.tuples(wild_answers(), st.integers(0, 5)), max_size=5)), start=1
    ):
        after = saved(states[-1], answer, LATER + MINUTE * number, MINUTE * fetched)
        if after.readings != states[-1].readings:
            states.append(after)
    return states


def ids(events: list[Event]) -> list[str]:
    """The ids of the events."""
    return [event.event_id for event in events]


def readings_of(events: list[Event], event_type: str) -> list[Any]:
    """The readings in all events of a type."""
    return [value for event in events if event.event_type == event_type for value in event.data["readings"]]
