"""The limits of a stored hour: its readings and its bytes. Pure functions."""

# DynamoDB stores at most 400 KB in an item. An hour of usual readings has one or two. But a provider may send
# a record a second, texts of full length in each, or another value with every answer. Three limits keep such
# an hour storable, and its neighbours are not affected:
#
#   readings        READINGS_MAX of them, and CURRENT_BYTES_MAX without their earlier versions. New and
#                   revised readings are taken in the order of time while they fit. The others are refused.
#   versions        revisions.EARLIER_MAX per reading.
#   all together    HOUR_BYTES_MAX. If the versions do not fit, every reading keeps fewer of them.
#
# A refused reading never displaces a stored one. If the same answer is saved again, the same readings are
# refused and nothing is written.

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.revisions import EARLIER_MAX
from bg_ingest.readings.stored.hour_items import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.stored_reading import Hour, StoredReading

# A reading every five seconds.
READINGS_MAX = 720
# Ten times an hour of a sensor that measures every minute.
CURRENT_BYTES_MAX = 100_000
# Half of DynamoDB's limit, so that a change with both images passes a stream and a queue.
HOUR_BYTES_MAX = 200_000


@dataclass(frozen=True, slots=True)
class FittedHour:
    """An hour within the limits, its text, and the readings that do not fit into it."""

    hour: Hour
    text: str
    refused: tuple[Reading, ...] = ()


def fit(before: Hour, after: Hour) -> FittedHour:
    """The hour after a merge, as far as it stays within the limits."""
    text = to_text(after.start, after.readings)
    if len(text) <= CURRENT_BYTES_MAX and len(after.readings) <= READINGS_MAX:
        return FittedHour(after, text)
    known = {stored.reading.at: stored for stored in before.readings}
    changed = [stored for stored in after.readings if known.get(stored.reading.at) != stored]
    # The first number of changes that does not fit, less one; all of them if every number fits.
    taken = bisect_left(range(1, len(changed) + 1), True, key=lambda number: not _fits(before, after, number))
    hour = replace(after, readings=_with_changes(before, after, taken))
    refused = [stored for stored in changed[taken:] if _is_new_content(stored, known.get(stored.reading.at))]
    versions_max = _versions_that_fit(hour)
    hour = replace(hour, readings=tuple(_shortened(stored, versions_max) for stored in hour.readings))
    return FittedHour(hour, to_text(hour.start, hour.readings), tuple(stored.reading for stored in refused))


def _fits(before: Hour, after: Hour, changes: int) -> bool:
    readings = _with_changes(before, after, changes)
    if len(readings) > READINGS_MAX:
        return False
    return _bytes(after, readings, versions_max=0) <= CURRENT_BYTES_MAX


def _with_changes(before: Hour, after: Hour, changes: int) -> tuple[StoredReading, ...]:
    """The readings after the first changes only, oldest first. Readings that were folded stay folded."""
    known = {stored.reading.at: stored for stored in before.readings}
    readings = []
    for stored in after.readings:
        was = known.get(stored.reading.at)
        if was == stored:
            readings.append(stored)
        elif changes > 0:
            readings.append(stored)
            changes -= 1
        elif was:
            readings.append(was)
    return tuple(readings)


def _is_new_content(stored: StoredReading, was: StoredReading | None) -> bool:
    return was is None or was.versions != stored.versions


def _versions_that_fit(hour: Hour) -> int:
    """The earlier versions that each reading can keep: EARLIER_MAX, or fewer."""
    numbers = range(1, EARLIER_MAX + 1)
    return bisect_left(
        numbers, True, key=lambda number: _bytes(hour, hour.readings, versions_max=number) > HOUR_BYTES_MAX
    )


def _bytes(hour: Hour, readings: Sequence[StoredReading], *, versions_max: int) -> int:
    return len(to_text(hour.start, [_shortened(stored, versions_max) for stored in readings]))


def _shortened(stored: StoredReading, versions_max: int) -> StoredReading:
    """The reading with its first versions and its newest one. `revision` still counts those between."""
    if len(stored.earlier) <= versions_max:
        return stored
    return replace(stored, earlier=stored.earlier[:versions_max])
