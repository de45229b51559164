"""
The properties bgnow, buckets, delta and direction of Nightscout's version 2.

    last reading                          now
    |
    [ bucket 0 ][ bucket 1 ][ bucket 2 ][ bucket 3 ]      five minutes each, the first around the last reading

A value of 39 stands for "below the range". It is in no mean, and it can be the last one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.nightscout.sgv_entry import SGV_LOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.facades.nightscout.sgv_entry import Entry

NAMES = ("bgnow", "buckets", "delta", "direction")
BUCKETS = 4
# A direction of an older reading is not shown.
CURRENT_FOR = timedelta(minutes=15)
_BUCKET_MS, _HALF_MS = 300_000, 150_000
_MINUTE_MS = 60_000
_INTERPOLATED_OVER_MINUTES = 9
_PLACE = ("index", "fromMills", "toMills")
_ARROWS = {
    "NONE": "⇼",
    "DoubleUp": "⇈",
    "SingleUp": "↑",
    "FortyFiveUp": "↗",
    "Flat": "→",
    "FortyFiveDown": "↘",
    "SingleDown": "↓",
    "DoubleDown": "⇊",
    "NOT COMPUTABLE": "-",
    "RATE OUT OF RANGE": "⇕",
}

Bucket = dict[str, Any]


def properties_of(newest_first: Sequence[Entry], now: datetime, names: Sequence[str] = ()) -> dict[str, Any]:
    """The properties with these names, or all, of the newest entries."""
    if not newest_first:
        every: dict[str, Any] = {"bgnow": {}, "buckets": [], "delta": None}
    else:
        buckets = _buckets(newest_first)
        filled = [bucket for bucket in buckets if "isEmpty" not in bucket]
        every = {
            "bgnow": _without_place(filled[0]),
            "buckets": buckets,
            "delta": _delta(*filled[:2]) if len(filled) > 1 else None,
            **_direction(newest_first[0], now),
        }
    wanted = names or NAMES
    return {name: every[name] for name in NAMES if name in every and name in wanted}


def _buckets(newest_first: Sequence[Entry]) -> list[Bucket]:
    first_ms = newest_first[0]["mills"] - _HALF_MS
    buckets = []
    for index in range(BUCKETS):
        start = first_ms - index * _BUCKET_MS
        inside = [entry for entry in newest_first if start <= entry["mills"] < start + _BUCKET_MS]
        place = {"index": index, "fromMills": start, "toMills": start + _BUCKET_MS}
        buckets.append(_filled(place, inside) if inside else place | {"sgvs": [], "isEmpty": True})
    return buckets


def _filled(place: Bucket, entries: list[Entry]) -> Bucket:
    known = [entry["sgv"] for entry in entries if entry["sgv"] > SGV_LOW]
    mean = {"mean": sum(known) / len(known)} if known else {}
    last = {"last": entries[0]["sgv"], "mills": entries[0]["mills"]}
    return mean | last | place | {"sgvs": [_sgv(entry) for entry in entries]}


def _sgv(entry: Entry) -> Entry:
    names = ("_id", "mills", "device", "direction", "type")
    return {name: entry[name] for name in names} | {
        "mgdl": entry["sgv"],
        "sgv": entry["sgv"],
        "scaled": entry["sgv"],
    }


def _delta(recent: Bucket, previous: Bucket) -> dict[str, Any] | None:
    new, old = _value(recent), _value(previous)
    minutes = (recent["mills"] - previous["mills"]) / _MINUTE_MS
    if minutes <= 0:
        return None
    is_interpolated = minutes > _INTERPOLATED_OVER_MINUTES
    before = new - (new - old) / minutes * 5 if is_interpolated else old
    mgdl = _rounded(new - before)
    return {
        "absolute": new - old,
        "elapsedMins": minutes,
        "interpolated": is_interpolated,
        "mean5MinsAgo": before,
        "times": {"recent": recent["mills"], "previous": previous["mills"]},
        "mgdl": mgdl,
        "scaled": mgdl,
        "display": f"{mgdl:+d}",
        "previous": _without_place(previous),
    }


def _value(bucket: Bucket) -> float:
    value: float = bucket["mean"] if "mean" in bucket else bucket["last"]
    return value


def _rounded(value: float) -> int:
    return int((value + 0.5) // 1)  # As Math.round: a half goes up.


def _direction(newest: Entry, now: datetime) -> dict[str, Any]:
    if now.timestamp() * 1000 - newest["mills"] > CURRENT_FOR / timedelta(milliseconds=1):
        return {}
    value = newest["direction"]
    label = _ARROWS[value]
    return {"direction": {"display": None, "value": value, "label": label, "entity": f"&#{ord(label)};"}}


def _without_place(bucket: Bucket) -> Bucket:
    return {name: value for name, value in bucket.items() if name not in _PLACE}
