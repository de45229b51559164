"""What an hour records about its own writes, so that a reader finds what is new since a version."""

# Each write adds its storage time to `writes`. A save has one storage time, and all versions that it adds
# have the same. So the times of the writes after version 7 select the readings that changed after version 7:
#
#   version    7          8          9
#   writes     09:01:12   09:16:10   09:31:11
#   reading    05:00 stored 09:01:12      05:05 stored 09:16:10      05:10 stored 09:31:11
#
# The numbers of the writes are those of DynamoDB's condition, so their order is that of the writes, also if
# the clocks of the writers differ. If two writes of one hour have the same second, their readings count as
# changed by both.
#
# A reading that was folded into another one is recorded too, as it was. A removal records itself.

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.stored.stored_reading import FoldedReading, Hour, hour_change

if TYPE_CHECKING:
    from datetime import datetime

# A write to an hour further away than this is announced in the late log. Readers watch twice as many hours,
# so the clocks of writers and readers may differ by as much.
LATE_AFTER = timedelta(hours=24)
# An hour with more writes forgets the oldest times. A reader that is further behind gets the whole hour.
WRITES_MAX = 48
FOLDED_MAX = 16


def is_late(start: datetime, stored_at: datetime) -> bool:
    """Whether a write at that time to the hour that begins at `start` is announced."""
    return abs(stored_at - start) > LATE_AFTER


def with_write(before: Hour, after: Hour, stored_at: datetime) -> Hour:
    """The hour that is about to be written, with this write recorded."""
    stored_at = stored_at.replace(microsecond=0)
    folded = [FoldedReading(stored, stored_at) for stored in hour_change(before, after).removed]
    return replace(
        after,
        writes=(*after.writes, stored_at)[-WRITES_MAX:],
        folded=(*after.folded, *folded)[-FOLDED_MAX:],
    )
