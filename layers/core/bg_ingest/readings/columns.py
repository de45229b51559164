"""The readings of an hour as columns: what is served, without an object per reading."""

# A page has a thousand readings or more. An object for each would cost more than parsing the stored text and
# writing the answer together. Merging needs objects, and fields that are not served: StoredReading.

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from bg_ingest.readings.model import Columns, served_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.readings.stored.stored_reading import StoredReading


Value = TypeVar("Value")

_SECOND = timedelta(seconds=1)


class SharedValue(Sequence[Value], Generic[Value]):
    """A column in which all readings have one value: it is stored once, kept once and rendered once."""

    __slots__ = ("_length", "value")

    def __init__(self, value: Value, length: int) -> None:
        self.value = value
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Value]:
        return repeat(self.value, self._length)

    @overload
    def __getitem__(self, which: int) -> Value: ...
    @overload
    def __getitem__(self, which: slice) -> SharedValue[Value]: ...
    def __getitem__(self, which: int | slice) -> Value | SharedValue[Value]:
        places = range(self._length)[which]  # As a list: an index out of range is an IndexError.
        return self.value if isinstance(places, int) else SharedValue(self.value, len(places))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, list | SharedValue) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # As a list.

    def __repr__(self) -> str:
        return f"SharedValue({self._length} times)"  # Without the value: it may be health data.


@dataclass(frozen=True, slots=True)
class HourColumns:
    """All readings of one UTC hour, or some of them."""

    start: datetime
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns.seconds)

    @property
    def instants(self) -> list[datetime]:
        """The instant of each reading."""
        return [self.start + timedelta(0, second) for second in self.columns.seconds]

    @property
    def own_instants(self) -> list[datetime]:
        """The instant of each reading that was not relayed."""
        devices = self.columns.device
        if isinstance(devices, SharedValue):
            return self.instants if len(devices) and devices.value.relay is None else []
        return [at for at, device in zip(self.instants, devices, strict=True) if device.relay is None]

    def within(self, start: datetime, end: datetime) -> HourColumns:
        """The readings of `[start, end)`. These columns must be oldest first."""
        seconds = self.columns.seconds
        first = bisect_left(seconds, (start - self.start) / _SECOND)
        last = bisect_left(seconds, (end - self.start) / _SECOND)
        return self if last - first == len(self) else self.part(slice(first, last))

    def part(self, which: slice) -> HourColumns:
        """The readings that the slice selects, in the order of the slice."""
        return replace(self, columns=Columns._make(column[which] for column in self.columns))


def to_columns(start: datetime, readings: Sequence[StoredReading]) -> HourColumns:
    """The columns of readings that all lie in the hour that begins at `start`."""
    if not readings:
        return HourColumns(start, Columns._make([] for _ in Columns._fields))
    instants, *columns = map(list, zip(*map(served_values, readings), strict=True))
    seconds = [(instant - start) // _SECOND for instant in instants]
    return HourColumns(start, Columns._make([seconds, *columns]))
