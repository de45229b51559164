"""The modules that are broken, and the tests that have to notice; the quickest to notice stands first."""

# A module and every one that it is made of: what merging is, is decided in five files.
# A module that comes later is one more line here.

from __future__ import annotations

_READINGS, _SYNC, _DEXCOM = "tests/unit/readings", "tests/unit/sync", "tests/unit/dexcom"
_MERGING = tuple(
    f"{_READINGS}/test_{name}.py" for name in ("hour", "revisions", "sameness", "shelf", "hour_properties")
)
_RECORDS = tuple(f"{_DEXCOM}/test_{name}.py" for name in ("records", "glucose", "times", "pseudonym"))

MODULES: dict[str, tuple[str, ...]] = {
    "bg_ingest.readings.hour": _MERGING,
    "bg_ingest.readings.revisions": _MERGING,
    "bg_ingest.readings.sameness": _MERGING,
    "bg_ingest.readings.shelf": _MERGING,
    "bg_ingest.readings.stored_reading": _MERGING,
    "bg_ingest.readings.gaps": (f"{_READINGS}/test_gaps.py", f"{_READINGS}/test_completeness.py"),
    "bg_ingest.readings.cursor": (f"{_READINGS}/test_cursor.py",),
    "bg_ingest.sync.windows": (f"{_SYNC}/test_windows.py",),
    "bg_ingest.sync.seats": (f"{_SYNC}/test_seats.py",),
    "bg_ingest.dexcom.breaker": (f"{_DEXCOM}/test_breaker.py",),
    "bg_ingest.dexcom.circuit": tuple(
        f"{_DEXCOM}/test_{name}.py" for name in ("circuit", "circuit_accounts", "breaker")
    ),
    "bg_ingest.dexcom.records": _RECORDS,
    "bg_ingest.dexcom.glucose": _RECORDS,
    "bg_ingest.dexcom.times": _RECORDS,
}
