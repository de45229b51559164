"""Changes as they might come, and what the tests look for in the events of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from bg_ingest.publishing.changes import hour_change
from bg_ingest.publishing.events import Event, reading_events
from bg_ingest.readings.merging.hour import Hour, merge
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, wild_answers

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bg_ingest.readings.model import Reading

USER = "ada"
SOURCE = "https://bg-ingest.dev/development"
REMOVED_AT = LATER + MINUTE * 30


def saved(hour: Hour, records: list[Reading], at: datetime, fetched_before: timedelta = MINUTE) -> Hour:
    """The hour after a save at that time."""
    return merge(hour, records, fetched_at=at - fetched_before, stored_at=at)[0]


def events_between(before: Hour, after: Hour, cause: str | None = None) -> list[Event]:
    """The events of one write."""
    return reading_events(USER, hour_change(before, after), cause=cause, removed_at=REMOVED_AT)


@st.composite
def wild_saves(draw: st.DrawFn) -> list[Hour]:
    """The states an hour went through, saves being minutes apart and fetches in any order."""
    states = [Hour(FIVE)]
    for number, (answer, fetched) in enumerate(
        draw(st.lists(st.tuples(wild_answers(), st.integers(0, 5)), max_size=5)), start=1
    ):
        after = saved(states[-1], answer, LATER + MINUTE * number, MINUTE * fetched)
        if after.readings != states[-1].readings:
            states.append(after)
    return states


def ids(events: list[Event]) -> list[str]:
    """By which consumers recognise them."""
    return [event.event_id for event in events]


def told(events: list[Event], event_type: str) -> list[Any]:
    """The readings, or the instants, of all events of a type."""
    return [shown for event in events if event.event_type == event_type for shown in event.data["readings"]]
