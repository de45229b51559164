from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.errors import (
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.http.statuses import RETRY_AFTER_S_MAX, error_for, retry_after_s
from tests.support.fakes import NOON

# Shapes of error bodies that providers send, and some others.
BODIES = [
    b'{"error": "invalid_grant"}',
    b'{"error_description": "no"}',
    b'{"errors": [{"field": "startDate"}]}',
    b'{"message": "no"}',
    b'{"fault": {"faultstring": "no", "detail": {}}}',
    b'{"fault": {"faultString": "no"}}',
    b"<html>Maintenance</html>",
    b'{"cut": ',
    b"",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (401, TokenRejected),
        (403, TokenRejected),
        (404, RequestRefused),
        (408, Unavailable),
        (418, RequestRefused),
        (429, Throttled),
        (499, RequestRefused),
        (300, Unavailable),
        (302, Unavailable),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
    ],
)
def test_status_decides_for_any_body(status: int, kind: type[ProviderError], body: bytes) -> None:
    """The error depends on the status only, and its text contains nothing of the body."""
    error = error_for(httpx.Response(status, content=body), "egvs", NOON)

    assert type(error) is kind
    assert str(error) == f"egvs: {status}"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_has_no_error(status: int) -> None:
    """A 2xx status has no error."""
    assert error_for(httpx.Response(status), "egvs", NOON) is None


@pytest.mark.parametrize("status", [408, 429, 503])
def test_error_has_the_wait_of_retry_after(status: int) -> None:
    """The error has the wait of the Retry-After header, for limits and for outages."""
    error = error_for(httpx.Response(status, headers={"retry-after": "90"}), "egvs", NOON)

    assert isinstance(error, TryLater)
    assert error.retry_after_s == 90.0


DAY_S = 86_400.0
# Dates with a character missing, added or changed, and with numbers out of range.
SIMILAR_TO_DATES = st.from_regex(
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
def test_retry_after_is_seconds_or_a_date(header: str, wait_s: float) -> None:
    """Seconds and every form of an HTTP date are read; the wait is between zero and one day."""
    assert retry_after_s(header, NOON) == wait_s


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "soon", "-1", "7 seconds", "\u0667", "1e9", "9" * 400),
        "Sun, 99 Apr 2026 12:00:30 GMT",
        "Sun, 26 Apr 2026 12:00:30 +99999999999999",
    ],
)
def test_unreadable_retry_after_is_ignored(header: str | None) -> None:
    """A missing or unreadable Retry-After gives no wait, so the backoff applies."""
    assert retry_after_s(header, NOON) is None


@given(st.text(max_size=40) | SIMILAR_TO_DATES)
def test_no_retry_after_raises(header: str) -> None:
    """For any header the result is None or a wait within the limits."""
    wait_s = retry_after_s(header, NOON)

    assert wait_s is None or 0.0 <= wait_s <= RETRY_AFTER_S_MAX


@given(st.integers(0, int(RETRY_AFTER_S_MAX)))
def test_date_and_seconds_give_the_same_wait(wait_s: int) -> None:
    """A Retry-After date gives the same wait as the seconds until that date."""
    date = format_datetime(NOON + timedelta(seconds=wait_s), usegmt=True)

    assert retry_after_s(date, NOON) == retry_after_s(str(wait_s), NOON) == wait_s
