"""The text an hour is stored as: compact, readable in the DynamoDB console, and read for ever."""

# Rule 1: a format that was ever written is read for ever; `READERS` and `SERVERS` only grow.
# Rule 2: writing uses the newest format, so an old hour changes its format when it changes, and not before.
# Rule 3: what cannot be read is an exception without a value in it, never half an hour.

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from bg_ingest.readings.columns import HourColumns
from bg_ingest.readings.stored import format_1, writer
from bg_ingest.readings.stored_reading import StoredReading

Read = TypeVar("Read")
Reader = Callable[[datetime, Mapping[str, Any]], Read]

READERS: dict[int, Reader[tuple[StoredReading, ...]]] = {1: format_1.read}
SERVERS: dict[int, Reader[HourColumns]] = {1: format_1.read_columns}


class HourUnreadable(Exception):
    """An hour in the table is in no form this version knows; a person must look."""


def _refuse(constant: str) -> None:
    raise ValueError(constant)


JSON = json.JSONDecoder(parse_constant=_refuse)  # Python's own would take NaN for a number.


def to_text(start: datetime, readings: Iterable[StoredReading]) -> str:
    """The readings of the hour that begins at `start`, in the newest format."""
    form = writer.write(start, tuple(readings))
    return json.dumps(form, separators=(",", ":"), allow_nan=False)


def from_text(start: datetime, text: str) -> tuple[StoredReading, ...]:
    """The readings back, from any format."""
    return _read(READERS, start, text)


def columns_from_text(start: datetime, text: str) -> HourColumns:
    """What is served of the readings, from any format."""
    return _read(SERVERS, start, text)


def _read(readers: Mapping[int, Reader[Read]], start: datetime, text: str) -> Read:
    try:
        form = JSON.decode(text)
        reader = readers[form["format"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise HourUnreadable("an hour in no known format") from None
    try:
        return reader(start, form)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
        # Not "from error": its text may hold a value.
        raise HourUnreadable(f"an hour that breaks the rules of format {form['format']}") from None
