"""Publishes the events of a user's stored hours again, with the ids that they had before."""

# An hour keeps the time at which each version of each reading was stored, so its earlier states can be
# restored: `history`. The changes between these states are the changes that the stream showed at the time, so
# they make the same events.
#
#   the stream    | (nothing) ─► v1 | v1 ─► v2 | v2 ─► v3 |         one change per record
#   the table     | (nothing) ─► h1 ─► h2 ─► h3 = v3      |         one change per state of the history
#
# Some events cannot be published again, because the table no longer has what they were about: readings that
# are expired or were folded into another one, and versions beyond EARLIER_MAX.

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from bg_ingest.publishing.events import reading_events
from bg_ingest.readings.stored.stored_reading import hour_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bg_ingest.publishing.events import Event
    from bg_ingest.publishing.publish import Sink
    from bg_ingest.readings.stored.stored_reading import Hour, StoredReading, Version

    # One save gives all its versions the same two times: stored and fetched.
    Save = tuple[datetime, datetime]

# Enough time for a batch to be confirmed and for the answer of the function.
_RESERVE_S = 10.0


@dataclass(frozen=True, slots=True)
class RepublishResult:
    """The hours and events that were published. If any are left, `resume_from` is the next hour."""

    hours: int
    events: int
    refused: int = 0  # Events that the sink will never accept.
    resume_from: datetime | None = None
    error: str | None = None


def republish(
    user_id: str, hours: Iterator[Hour], *, sink: Sink, time_left_s: Callable[[], float]
) -> RepublishResult:
    """Publish hour by hour, in order, until the time is up or the sink fails."""
    published = events = refused = 0
    for hour in hours:
        if time_left_s() < _RESERVE_S:
            return RepublishResult(published, events, refused, hour.start)
        made = list(events_of_hour(user_id, hour))
        result = sink.publish(made)
        events += result.arrived - len(result.refused)
        refused += len(result.refused)
        if result.arrived < len(made):
            return RepublishResult(published, events, refused, hour.start, result.error)
        published += 1
    return RepublishResult(published, events, refused)


def events_of_hour(user_id: str, hour: Hour) -> Iterator[Event]:
    """The events of all readings that were stored or revised in an hour, oldest first."""
    for before, after in pairwise(history(hour)):
        yield from reading_events(user_id, hour_change(before, after))


def history(hour: Hour) -> Iterator[Hour]:
    """The states of an hour, from empty to current: one after each save."""
    saves = sorted({_save_of(version) for stored in hour.readings for version in stored.versions})
    yield replace(hour, readings=())
    for save in saves:
        states = (_as_of(stored, save) for stored in hour.readings)
        yield replace(hour, readings=tuple(state for state in states if state))


def _save_of(version: Version) -> Save:
    return version.stored_at, version.fetched_at


def _as_of(stored: StoredReading, save: Save) -> StoredReading | None:
    """The reading as it was after a save; None if it was not stored yet."""
    versions = [version for version in stored.versions if _save_of(version) <= save]
    return stored.restricted(versions) if versions else None
