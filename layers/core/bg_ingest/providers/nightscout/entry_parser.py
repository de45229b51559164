# How Nightscout's entries are parsed.
#
# Rule 1: An entry of type "sgv" is a reading. "cal" and "mbg", a calibration and a fingerstick value, are
#         left out: they are not values of the sensor.
# Rule 2: `sgv` is in mg/dL, also if the site displays mmol/L. Below 39 it is an error code of the sensor, 39
#         is "LOW" and above 400 is "HIGH". The words LOW and HIGH stand for these two.
#
#     sgv     0            39                             401            1000
#             |--- code ---|x============================x|--------------|-----
#     rejected^             39: "low"                      "high"         rejected
#
# Rule 3: `date` is the instant, in milliseconds; it is cut to the second. If it is missing, then
#         `dateString` or `sysTime` is the instant.
# Rule 4: `noise` 4 is a sensor that cannot be trusted, so the entry is rejected, and kept as such.
# Rule 5: An entry with `isValid` false was deleted.
# Rule 6: The device says that the record was relayed: the provider of the sensor may send it as well.
"""Nightscout's entries as readings, deleted readings and rejected entries; pure functions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.seam import Fetched, Rejected, number_of, text_of
from bg_ingest.readings.model import Device, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.model import Status

NAME = "nightscout"
LOW, HIGH = 39, 401
_MG_DL_MAX = 1000
_NOISE_MAX = 3
_OLDEST = datetime(2010, 1, 1, tzinfo=UTC)  # Nightscout is from 2013.
# Uploaders' clocks run ahead by minutes. A wrong date is wrong by years, and would be the latest reading.
_AHEAD_MAX = timedelta(days=1)
_OFFSET_MINUTES_MIN, _OFFSET_MINUTES_MAX = -12 * 60, 14 * 60
_QUARTER_MINUTES = 15
_ZONE = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})$", re.ASCII)
_DIGITS = re.compile(r"\s*\d{1,16}(\.\d{1,9})?\s*", re.ASCII)

NOT_AN_ENTRY = "not-an-entry"
TIME_MISSING = "date-missing"
TIME_ABSURD = "date-absurd"
VALUE_MISSING = "sgv-missing"
VALUE_CODE = "sgv-error-code"
VALUE_OUT_OF_RANGE = "sgv-out-of-range"
TOO_NOISY = "noise-too-high"

# Nightscout's words in the order of its numbers, and the words that readings have.
_DIRECTIONS = (
    ("NONE", "none"),
    ("DoubleUp", "doubleUp"),
    ("SingleUp", "singleUp"),
    ("FortyFiveUp", "fortyFiveUp"),
    ("Flat", "flat"),
    ("FortyFiveDown", "fortyFiveDown"),
    ("SingleDown", "singleDown"),
    ("DoubleDown", "doubleDown"),
    ("NOT COMPUTABLE", "notComputable"),
    ("RATE OUT OF RANGE", "rateOutOfRange"),
)
_TREND_OF = dict(_DIRECTIONS)


@dataclass(frozen=True, slots=True)
class ParsedEntry:
    """A reading, and whether its entry was deleted."""

    reading: Reading
    deleted: bool


def fetched_of(entries: Iterable[object], now: datetime) -> Fetched:
    """The readings of some entries; the later one of two entries with one id counts."""
    by_id: dict[Any, ParsedEntry | Rejected] = {}
    for number, entry in enumerate(entries):
        parsed = parse_entry(entry, now)
        if parsed is not None:
            by_id[_id_of(entry) or number] = parsed
    parts = list(by_id.values())
    found = [part for part in parts if isinstance(part, ParsedEntry)]
    return Fetched(
        readings=tuple(part.reading for part in found if not part.deleted),
        rejected=tuple(part for part in parts if isinstance(part, Rejected)),
        removed=tuple(part.reading for part in found if part.deleted),
    )


def parse_entry(entry: object, now: datetime) -> ParsedEntry | Rejected | None:
    """The reading in an entry, or the entry with the reason of its rejection; None for another type."""
    if not isinstance(entry, dict):
        return Rejected(NOT_AN_ENTRY, entry)
    if entry.get("type", "sgv") != "sgv":
        return None
    deleted = entry.get("isValid") is False
    reading = _reading(entry, now)
    if isinstance(reading, str):
        # A deleted entry that cannot be read was never stored.
        return None if deleted else Rejected(reading, entry)
    return ParsedEntry(reading, deleted)


def date_ms_of(entry: object) -> int | None:
    """The date of an entry in milliseconds; None without one."""
    if not isinstance(entry, dict):
        return None
    number = _number(entry.get("date"))
    if number is None:
        return next(filter(None, map(_ms_of_text, (entry.get("dateString"), entry.get("sysTime")))), None)
    return math.floor(number)


def _reading(entry: dict[str, Any], now: datetime) -> Reading | str:
    """The reading, or the reason why the entry is not one."""
    at, mg_dl = _at(entry, now), _mg_dl(entry.get("sgv"))
    noise = number_of(entry.get("noise"))
    if isinstance(at, str):
        return at
    if isinstance(mg_dl, str):
        return mg_dl
    if noise is not None and noise > _NOISE_MAX:
        return TOO_NOISY
    return Reading(
        at=at,
        mg_dl=mg_dl,
        trend=_trend(entry),
        status=_status(mg_dl),
        record_id=_id_of(entry),
        local_offset_minutes=_offset_minutes(entry),
        device=Device(display=text_of(entry.get("device")), relay=NAME),
    )


def _at(entry: dict[str, Any], now: datetime) -> datetime | str:
    ms = date_ms_of(entry)
    if ms is None:
        return TIME_MISSING
    try:
        at = datetime.fromtimestamp(ms // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return TIME_ABSURD
    return at if _OLDEST <= at <= now + _AHEAD_MAX else TIME_ABSURD


def _mg_dl(value: object) -> int | str:
    if isinstance(value, str) and value.strip().upper() in {"LOW", "HIGH"}:
        return LOW if value.strip().upper() == "LOW" else HIGH
    number = _number(value)
    if number is None:
        return VALUE_MISSING
    mg_dl = math.floor(number + 0.5)
    if mg_dl > _MG_DL_MAX:
        return VALUE_OUT_OF_RANGE
    return mg_dl if mg_dl >= LOW else VALUE_CODE


def _status(mg_dl: int) -> Status | None:
    if mg_dl == LOW:
        return "low"
    return "high" if mg_dl >= HIGH else None


def _trend(entry: dict[str, Any]) -> str | None:
    """The trend by its word; by its number if the word is missing."""
    word = text_of(entry.get("direction"))
    if word is not None:
        return _TREND_OF.get(word, word)
    number = number_of(entry.get("trend"))
    if number is None or not number.is_integer() or not 0 <= number < len(_DIRECTIONS):
        return None
    return _DIRECTIONS[int(number)][1]


def _offset_minutes(entry: dict[str, Any]) -> int | None:
    """How far the uploader's clock is ahead of UTC: `utcOffset`, or the zone at the end of `dateString`."""
    minutes = number_of(entry.get("utcOffset"))
    if minutes is None:
        zone = _ZONE.search(entry["dateString"]) if isinstance(entry.get("dateString"), str) else None
        if zone is None:
            return None
        minutes = (int(zone["hours"]) * 60 + int(zone["minutes"])) * (-1 if zone["sign"] == "-" else 1)
    rounded = math.floor(minutes / _QUARTER_MINUTES + 0.5) * _QUARTER_MINUTES
    return rounded if _OFFSET_MINUTES_MIN <= rounded <= _OFFSET_MINUTES_MAX else None


def _number(value: object) -> float | None:
    """A number, also as text: old uploaders send texts."""
    if isinstance(value, str):
        return float(value) if _DIGITS.fullmatch(value) else None
    return number_of(value)


def _ms_of_text(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
        zoned = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return math.floor(zoned.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _id_of(entry: object) -> str | None:
    # API v3 leaves `_id` out. An entry that was stored through API v1 has its `_id` as identifier there.
    return text_of(entry.get("identifier")) or text_of(entry.get("_id")) if isinstance(entry, dict) else None
