"""Parsing of times in requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bg_ingest.http_api.requests import parsing


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-27T06:30:00Z",
        "2026-11-27t06:30:00z",
        "2026-11-27 06:30:00Z",
        "2026-11-27T06:30Z",
        "2026-11-27T06:30:00.000Z",
        "2026-11-26T23:30:00-07:00",
        "2026-11-27T12:15:00+05:45",
    ],
)
def test_every_rfc_3339_spelling_of_a_time_is_accepted(text: str) -> None:
    """The seconds may be left out, too."""
    assert parsing.parse_instant(text, "from") == datetime(2026, 11, 27, 6, 30, tzinfo=UTC)
