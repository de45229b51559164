"""The changes that an hour has been through, as far as it records them: pure, and without clocks."""

# Rule 1: Every version of a reading is a change, and so is its removal.
# Rule 2: The changes of one hour have the order of its writes (`with_write`); storage times do not matter.
# Rule 3: A change shows the reading as it was served after its write, with the versions that were there.
# Rule 4: `changed_at` is the storage time, but never earlier than that of a write of the same hour before it.
# Rule 5: If the write of a version is no longer recorded, the change counts as older than the others.
#
# Example: write 1 stores 110 at 09:01, and write 2 stores 112 at 09:31. Write 3 stores 111 of an older fetch,
# and its clock says 09:16. The changes are: stored 110 at 09:01, revised 112 at 09:31, revised 112 at 09:31.

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.readings.stored.stored_reading import FoldedReading, Hour, Removal, StoredReading, Version

ChangeKind = Literal["stored", "revised", "removed"]
# Seconds since 1970 of `changed_at` and of the reading, the write, and the number of the reading's change.
Place = tuple[int, int, int, int]
_LAST = 1_000_000  # The removal of a reading comes after its other changes.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ReadingChange:
    """One change of one reading."""

    kind: ChangeKind
    changed_at: datetime
    stored: StoredReading  # After the change; of a removed reading, what it was before.
    writes: tuple[int, ...]  # The writes that may have made it.
    number: int = 1  # Among the changes of the reading.
    is_on_record: bool = True  # Otherwise the write was this one or any before it.

    @property
    def place(self) -> Place:
        """The place in the order of storing."""
        return seconds(self.changed_at), seconds(self.stored.reading.at), self.writes[-1], self.number

    def is_within(self, seen: int, until: int) -> bool:
        """Whether a write after version `seen` made it, and at the latest that of version `until`."""
        if not self.is_on_record:
            return seen < min(self.writes[-1], until)
        return any(seen < write <= until for write in self.writes)

    def is_of(self, write: int) -> bool:
        """Whether this write made it."""
        return write in self.writes if self.is_on_record else write <= self.writes[-1]


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970."""
    return (instant - _EPOCH) // _SECOND


def hour_changes(hour: Hour) -> list[ReadingChange]:
    """The changes of an hour, in no order; `place` is their order."""
    forgotten = hour.version - len(hour.writes)
    numbers: dict[datetime, list[int]] = {}
    for number, written in enumerate(hour.writes, forgotten + 1):
        numbers.setdefault(written, []).append(number)
    before = [
        version.stored_at
        for stored in hour.readings
        for version in stored.versions
        if version.stored_at not in numbers
    ]
    # The time of each write, but never before that of an earlier write.
    steady = dict(enumerate(accumulate((max(before, default=_EPOCH), *hour.writes), max), forgotten))
    changes = [change for stored in hour.readings for change in _of_reading(stored, numbers, steady)]
    removed: tuple[Removal | FoldedReading, ...] = (*hour.removals, *hour.folded)
    for gone in removed:
        own = numbers.get(gone.removed_at)
        writes = tuple(own or [max(forgotten, 1)])
        changed_at = steady[writes[-1]] if own else gone.removed_at
        changes.append(ReadingChange("removed", changed_at, gone.stored, writes, _LAST, own is not None))
    return changes


def _of_reading(
    stored: StoredReading, numbers: dict[datetime, list[int]], steady: dict[int, datetime]
) -> Iterator[ReadingChange]:
    oldest = min(steady)

    def writes(version: Version) -> list[int]:
        return numbers.get(version.stored_at) or [max(oldest, 1)]

    if len(stored.versions) == 1:
        in_order = [0]
    else:
        in_order = sorted(range(len(stored.versions)), key=lambda place: writes(stored.versions[place])[-1])
    for count, place in enumerate(in_order, 1):
        version = stored.versions[place]
        own, is_known = writes(version), version.stored_at in numbers
        known = [stored.versions[each] for each in sorted(in_order[:count])]
        yield ReadingChange(
            "stored" if count == 1 else "revised",
            steady[own[-1]] if is_known else version.stored_at,
            stored if len(in_order) == 1 else stored.restricted(known),
            tuple(own),
            count,
            is_known,
        )
