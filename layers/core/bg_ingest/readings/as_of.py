"""Readings as of an earlier time: a pure selection among the stored versions."""

# Rule 1: A version counts if it was stored by then. Times of storage are whole seconds.
# Rule 2: Of the versions that count, the one with the newest fetch is served, as it was then. `revision` is
#         the number of those before it.
# Rule 3: If no version of a reading counts, the reading was not there.
#
#   fetched    09:00     09:15     09:30
#   stored     09:01     10:40     09:31        the second fetch was saved late
#   said        110       111       112
#
#   as of 09:10: 110, revision 0.   As of 10:00: 112, revision 1.   As of 11:00: 112, revision 2.
#
# Rule 4: A reading that its provider deleted, or that became a copy of another one, is served as of any time
#         before it was removed here.
#
# What is not kept cannot be selected: readings that expired or were erased since, and versions beyond
# EARLIER_MAX. While such a version was served, the last one that is kept is returned.

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

from bg_ingest.readings.model import Columns
from bg_ingest.readings.stored.stored_reading import HourColumns, to_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bg_ingest.readings.stored.stored_reading import FoldedReading, Hour, Removal, StoredReading


def columns_as_of(
    served: HourColumns, readings: Callable[[], Sequence[StoredReading]], as_of: datetime
) -> HourColumns:
    """
    The columns of an hour as they were served at that time.

    `readings` returns the readings of the same hour with all versions. It is called only if one was revised.
    """
    if any(served.columns.revision):
        then = (reading_as_of(stored, as_of) for stored in readings())
        return to_columns(served.start, [stored for stored in then if stored])
    known = [stored_at <= as_of for stored_at in served.columns.stored_at]
    if all(known):
        return served
    return replace(served, columns=Columns._make(list(compress(column, known)) for column in served.columns))


def columns_before_removals(hour: Hour, as_of: datetime) -> HourColumns:
    """The columns of an hour that has lost readings, as they were served at that time."""
    gone: list[Removal | FoldedReading] = [*hour.removals, *hour.folded]
    removed_later = [each.stored for each in gone if each.removed_at > as_of]
    every = sorted((*hour.readings, *removed_later), key=lambda stored: stored.reading.at)
    then = (reading_as_of(stored, as_of) for stored in every)
    return to_columns(hour.start, [stored for stored in then if stored])


def reading_as_of(stored: StoredReading, as_of: datetime) -> StoredReading | None:
    """The reading with the versions that were stored by then; None if there was none."""
    known = tuple(version for version in stored.versions if version.stored_at <= as_of)
    return stored.restricted(known) if known else None
