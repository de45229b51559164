"""Numbers and durations as a person reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bg_ingest.facades.page.wording import duration, percent


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "—"),
        (0, "0 %"),
        (0.04, "< 0.1 %"),
        (0.4, "0.4 %"),
        (1.04, "1 %"),
        (98.6, "99 %"),
        (99.8, "99.8 %"),
        (99.98, "> 99.9 %"),
        (100, "100 %"),
    ],
)
def test_a_share_is_neither_nothing_nor_all(value: float | None, said: str) -> None:
    """Only a share of exactly 0 or 100 percent is shown as such."""
    assert percent(value) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=89), "89 s"),
        (timedelta(minutes=61), "61 minutes"),
        (timedelta(minutes=105), "1 h 45 min"),
        (timedelta(hours=9), "9 hours"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_a_duration_has_the_units_that_matter(length: timedelta, said: str) -> None:
    """Seconds, minutes, hours with minutes, or days."""
    assert duration(length) == said
