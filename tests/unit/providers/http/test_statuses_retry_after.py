from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.statuses import RETRY_AFTER_S_MAX, retry_after_s
from tests.support.fakes import NOON

DAY_S = 86_400.0
# A character more, less or another in each form of a date, and numbers beyond all measure.
ALMOST_DATES = st.from_regex(
    r"(Sun, ?|Sunday,|Sun )?-?\d{0,2}[ -]?(Apr)?[ -]?\d{0,4} [\d:.]{0,9} (GMT|-0000|[+-]?\d{0,20})?",
    fullmatch=True,
)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sun, 26 Apr 2026 12:00:30 GMT", 30.0),
        ("Sunday, 26-Apr-26 12:00:30 GMT", 30.0),
        ("Sun Apr 26 12:00:30 2026", 30.0),
        ("Sun, 26 Apr 2026 14:00:30 +0200", 30.0),
        ("Sun, 26 Apr 2026 11:00:00 GMT", 0.0),
        ("999999999999", DAY_S),
        ("Sun, 26 Apr 2099 12:00:30 GMT", DAY_S),
    ],
)
def test_seconds_and_dates_are_understood(header: str, wait_s: float) -> None:
    """Both forms of the header, and every form of a date; never less than nothing, or more than a day."""
    assert retry_after_s(header, NOON) == wait_s


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "soon", "-1", "7 seconds", "\u0667", "1e9", "9" * 400),
        "Sun, 99 Apr 2026 12:00:30 GMT",
        "Sun, 26 Apr 2026 12:00:30 +99999999999999",
    ],
)
def test_what_says_nothing_asks_for_nothing(header: str | None) -> None:
    """Then our own backoff decides."""
    assert retry_after_s(header, NOON) is None


@given(st.text(max_size=40) | ALMOST_DATES)
def test_no_header_makes_it_raise(header: str) -> None:
    """Whatever stands in the header, the answer is a wait within limits, or none."""
    wait_s = retry_after_s(header, NOON)

    assert wait_s is None or 0.0 <= wait_s <= RETRY_AFTER_S_MAX


@given(st.integers(0, int(RETRY_AFTER_S_MAX)))
def test_a_date_means_the_same_as_seconds(wait_s: int) -> None:
    """However it is put, the wait is the same."""
    date = format_datetime(NOON + timedelta(seconds=wait_s), usegmt=True)

    assert retry_after_s(date, NOON) == retry_after_s(str(wait_s), NOON) == wait_s
