"""A column in which all readings have one value: it is stored once, kept once and rendered once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = TypeVar("Value")


class SharedValue(Sequence[Value], Generic[Value]):
    """A sequence of equal members."""

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
