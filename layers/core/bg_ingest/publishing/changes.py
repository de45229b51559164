"""What became of an hour between two images of it."""

# Rule 1: pure. Two hours in, what was stored, revised and taken away out.
# Rule 2: an hour remembers when each version of each reading was stored, so the states it went through can be
#         told from the last of them: `history`. The changes between those are the changes the stream told at
#         the time, and that is how events are published again from the table, under the same ids.
#
#   the stream    | (nothing) ─► v1 | v1 ─► v2 | v2 ─► v3 |         changes between two images of one record
#   the table     | (nothing) ─► h1 ─► h2 ─► h3 = v3      |         changes between two states of its history
#
# What a table no longer knows cannot be told again: readings that expired or were folded into their twin, and
# versions beyond the limit of an hour (revisions.EARLIER_MAX).

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bg_ingest.readings.stored_reading import StoredReading, Version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bg_ingest.readings.merging.hour import Hour

    Save = tuple[
        datetime, datetime
    ]  # When versions were stored, and fetched: what one save gave to all it brought.


@dataclass(frozen=True, slots=True)
class Revision:
    """A reading that came back changed: as it is served now and was served before."""

    now: StoredReading
    before: StoredReading

    @property
    def added(self) -> tuple[Version, ...]:
        """The versions that were not there before."""
        known = set(self.before.versions)
        return tuple(version for version in self.now.versions if version not in known)


@dataclass(frozen=True, slots=True)
class HourChange:
    """What one write did to an hour; each part by instant."""

    start: datetime
    stored: tuple[StoredReading, ...] = ()
    revised: tuple[Revision, ...] = ()
    gone: tuple[StoredReading, ...] = ()


def hour_change(before: Hour, after: Hour) -> HourChange:
    """What the step from one image of an hour to the next did; noting a copy is no change."""
    known = {stored.reading.at: stored for stored in before.readings}
    left = {stored.reading.at for stored in after.readings}
    return HourChange(
        after.start,
        stored=tuple(stored for stored in after.readings if stored.reading.at not in known),
        revised=tuple(
            Revision(stored, was)
            for stored in after.readings
            if (was := known.get(stored.reading.at)) and was.versions != stored.versions
        ),
        gone=tuple(stored for stored in before.readings if stored.reading.at not in left),
    )


def history(hour: Hour) -> Iterator[Hour]:
    """The states an hour went through, from nothing to what it is, one for each save."""
    saves = sorted({_save_of(version) for stored in hour.readings for version in stored.versions})
    yield replace(hour, readings=())
    for save in saves:
        states = (_as_of(stored, save) for stored in hour.readings)
        yield replace(hour, readings=tuple(state for state in states if state))


def _save_of(version: Version) -> Save:
    return version.stored_at, version.fetched_at


def _as_of(stored: StoredReading, save: Save) -> StoredReading | None:
    versions = [version for version in stored.versions if _save_of(version) <= save]
    if not versions:
        return None
    *earlier, served = versions
    return StoredReading(
        served.reading, served.stored_at, len(earlier), tuple(earlier), served.fetched_at, stored.copies
    )
