"""JSON records as Dexcom sends them."""

from __future__ import annotations

from typing import Any


def a_record(**members: Any) -> dict[str, Any]:
    """A record as in Dexcom's documentation, with these members changed or added."""
    return {
        "recordId": "2cab70ee-d3b4-5a34-9aa9-767513ab72bd",
        "systemTime": "2026-02-06T09:12:35Z",
        "displayTime": "2026-02-06T01:12:35-08:00",
        "transmitterId": "5c8d" * 16,
        "transmitterTicks": 85273,
        "value": 120,
        "status": None,
        "trend": "flat",
        "trendRate": 0.3,
        "unit": "mg/dL",
        "rateUnit": "mg/dL/min",
        "displayDevice": "iOS",
        "transmitterGeneration": "g7",
        "transmitterGenerationVariant": "g7",
        "displayApp": "G7",
        **members,
    }


def without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """The record without these members."""
    return {name: value for name, value in record.items() if name not in names}
