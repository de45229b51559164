"""How late readings are stored, divided between the provider and this service."""

# A fetch shows what the provider serves at that moment: its newest reading is as old as the provider's delay,
# rounded up to five minutes. Older readings of the same fetch were available earlier and waited for it.
#
#   measured      available at the provider          fetched      stored
#      |--------------------|----------------------------|----------|
#       the newest reading's age in the same fetch        our delay
#
# Our delay in front of a fetch is at most one polling interval. What exceeds it, such as a receiver that
# uploads a whole week, was not available at the poll before. A reading from before the connection could not
# be fetched earlier, so it counts only if it is the newest of its fetch.
#
# A relay and the sensor's own provider may both have passed a reading on. Each has delays of its own, of the
# first version that came from it.

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from bg_ingest.readings.gaps import INTERVAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bg_ingest.readings.stored.stored_reading import StoredReading, Version


@dataclass(frozen=True, slots=True)
class Delays:
    """The medians of two delays, in seconds."""

    provider_s: int
    our_s: int


def median_delays(
    readings: Iterable[StoredReading],
    connected_at: datetime,
    poll_interval: timedelta,
    *,
    relayed: bool = False,
) -> Delays | None:
    """The medians of these readings, of relayed or of own versions; None if none of them counts."""
    by_fetch: defaultdict[datetime, list[Version]] = defaultdict(list)
    for stored in readings:
        versions = [each for each in stored.versions if (each.reading.device.relay is not None) is relayed]
        first = min(versions, key=lambda version: version.stored_at, default=None)
        if first and stored.reading.kind == "cgm" and first.reading.at <= first.fetched_at:
            by_fetch[first.fetched_at].append(first)
    both = [
        delays
        for versions in by_fetch.values()
        for delays in _delays_of_fetch(versions, connected_at, poll_interval)
    ]
    if not both:
        return None
    provider, ours = zip(*both, strict=True)
    return Delays(_median_s(provider), _median_s(ours))


def next_reading_at(newest: StoredReading) -> datetime:
    """The earliest time at which the reading after this one can be stored, if it takes as long."""
    return newest.first_stored_at + INTERVAL


def _delays_of_fetch(
    versions: Sequence[Version], connected_at: datetime, poll_interval: timedelta
) -> Iterable[tuple[timedelta, timedelta]]:
    newest_at = max(version.reading.at for version in versions)
    for version in versions:
        at, fetched_at = version.reading.at, version.fetched_at
        if at == newest_at or at >= connected_at:
            # Times of storage are whole seconds, rounded down.
            storing = max(version.stored_at - fetched_at, timedelta(0))
            waited = min(newest_at - at, poll_interval)
            yield fetched_at - at - waited, waited + storing


def _median_s(delays: Sequence[timedelta]) -> int:
    return round(median(delay.total_seconds() for delay in delays))
