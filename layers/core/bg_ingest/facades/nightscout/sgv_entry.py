"""
Readings as entries of Nightscout, newest first.

Clients depend on details: `sgv`, `date` and `trend` are integers, `delta` is always a number, and the names
of directions are exact. Only readings of a sensor are entries.

    _id    6553f100 a2b3c4d5e6f78901
           |        |
           |        16 hexadecimal digits: hash of user and second
           8 hexadecimal digits: seconds since 1970, so that an id leads to its hour
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.readings.model import Device
    from bg_ingest.readings.stored.stored_reading import HourColumns

Entry = dict[str, Any]

SGV_LOW, SGV_HIGH = 39, 401  # Nightscout shows LOW for exactly 39, and HIGH above 400.
# In Nightscout's order: the place of a direction is its `trend`.
DIRECTIONS = (
    "NONE",
    "DoubleUp",
    "SingleUp",
    "FortyFiveUp",
    "Flat",
    "FortyFiveDown",
    "SingleDown",
    "DoubleDown",
    "NOT COMPUTABLE",
    "RATE OUT OF RANGE",
)
ID_PATTERN = re.compile(r"[0-9a-f]{24}", re.ASCII)
# A change over a longer time is unknown.
DELTA_OVER_MAX = timedelta(minutes=15)
_FIVE_MINUTES = timedelta(minutes=5)
_NOT_LETTERS = re.compile(r"[^a-z]+")
_BY_LETTERS = {_NOT_LETTERS.sub("", name.lower()): place for place, name in enumerate(DIRECTIONS)}
_NOT_COMPUTABLE = DIRECTIONS.index("NOT COMPUTABLE")
_UNNAMED = "CGM"


def entries_of(user_id: str, hours: Iterable[HourColumns]) -> Iterator[Entry]:
    """The entries of hours that are newest first. The last one has no delta, since nothing older is given."""
    newer: Entry | None = None
    for hour in hours:
        for entry in _entries_of_hour(user_id, hour):
            if newer is not None:
                newer["delta"] = delta(newer, entry)
                yield newer
            newer = entry
    if newer is not None:
        yield newer


def delta(newer: Entry, older: Entry) -> float:
    """The change in mg/dL per five minutes; 0 if the readings are too far apart."""
    elapsed = timedelta(milliseconds=newer["date"] - older["date"])
    if not timedelta(0) < elapsed <= DELTA_OVER_MAX:
        return 0
    change = round((newer["sgv"] - older["sgv"]) * (_FIVE_MINUTES / elapsed), 3)
    return int(change) if change == int(change) else change


def instant_of_id(entry_id: str) -> datetime:
    """The instant of the reading with this id."""
    return datetime.fromtimestamp(int(entry_id[:8], 16), UTC)


def direction_of(trend: str | None) -> int:
    """The place of a provider's trend in DIRECTIONS; None gives NONE, an unknown word NOT COMPUTABLE."""
    return _place(trend) if trend else 0


@lru_cache(maxsize=256)
def _place(trend: str) -> int:
    return _BY_LETTERS.get(_NOT_LETTERS.sub("", trend.lower()), _NOT_COMPUTABLE)


def _entries_of_hour(user_id: str, hour: HourColumns) -> Iterator[Entry]:
    start_s = int(hour.start.timestamp())
    columns = hour.columns
    rows = zip(
        columns.seconds,
        columns.mg_dl,
        columns.trend,
        columns.status,
        columns.kind,
        columns.local_offset_minutes,
        columns.device,
        strict=True,
    )
    for second, mg_dl, trend, status, kind, offset, device in rows:
        if kind == "cgm":
            yield _entry(user_id, start_s + second, _sgv(mg_dl, status), trend, offset, device)


def _sgv(mg_dl: int, status: str | None) -> int:
    return {"low": SGV_LOW, "high": SGV_HIGH}.get(status or "", mg_dl)


def _entry(
    user_id: str, unix_s: int, sgv: int, trend: str | None, offset: int | None, device: Device
) -> Entry:
    digest = hashlib.sha256(f"{user_id}|{unix_s}".encode()).digest()
    text = f"{datetime.fromtimestamp(unix_s, UTC).isoformat()[:19]}.000Z"
    place = direction_of(trend)
    return {
        "_id": f"{unix_s:08x}{digest[:8].hex()}",
        "type": "sgv",
        "sgv": sgv,
        "date": unix_s * 1000,
        "dateString": text,
        "sysTime": text,
        "utcOffset": offset or 0,
        "mills": unix_s * 1000,
        "direction": DIRECTIONS[place],
        "trend": place,
        "delta": 0,
        "device": (device.generation or _UNNAMED).upper(),
        "noise": 1,
        "filtered": 0,
        "unfiltered": 0,
        "rssi": 100,
        "identifier": str(UUID(bytes=digest[8:24], version=5)),
    }
