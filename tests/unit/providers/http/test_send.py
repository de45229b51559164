from __future__ import annotations

import json
import math
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.errors import (
    ContractBroken,
    Garbled,
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.http.send import (
    RETRY_AFTER_S_MAX,
    Call,
    CallRecord,
    CircuitState,
    CircuitTransitions,
    bearer_header,
    call_of,
    error_for,
    parse_json_object,
    retry_after_s,
    send,
)
from tests.support.fakes import NOON
from tests.unit.providers.http.fake_provider import HOST, Replies, ok, without_retries


def test_request_goes_to_the_path_of_the_call() -> None:
    """The URL is the base URL, the path of the call and the suffix, which records do not contain."""
    replies = Replies(ok())

    send(without_retries(replies), "DELETE", Call("unsubscribe", "/v3/hooks"), suffix="/7")

    (request,) = replies.requests
    assert (request.method, str(request.url)) == ("DELETE", f"{HOST}/v3/hooks/7")


def test_redirect_is_not_followed() -> None:
    """The token of a request must not reach the host that a redirect names."""
    replies = Replies(httpx.Response(302, headers={"location": "https://elsewhere.test/"}), ok())

    with pytest.raises(Unavailable, match="egvs: 302"):
        send(without_retries(replies), "GET", Call("egvs", "/v3/egvs"))
    assert replies.calls == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"records": [', b"NaN}", b"[" * 100_000])
def test_body_that_is_not_json_is_garbled(body: bytes) -> None:
    """The error of a body that is not JSON does not contain the body."""
    with pytest.raises(Garbled, match="egvs: 200 without JSON") as caught:
        parse_json_object(httpx.Response(200, content=body), "egvs")

    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [b"[]", b"null", b'"records"', b"7"])
def test_json_that_is_not_an_object_breaks_the_contract(body: bytes) -> None:
    """A complete JSON value of another type raises ContractBroken, which is not retried."""
    with pytest.raises(ContractBroken):
        parse_json_object(httpx.Response(200, content=body), "egvs")


def test_invalid_number_or_byte_leaves_the_rest_readable() -> None:
    """A very long number, an invalid byte and a byte order mark do not prevent parsing."""
    body = b'\xef\xbb\xbf{"ticks": ' + b"9" * 5000 + b', "trend": "fl\xffat", "value": 120}'

    document = parse_json_object(httpx.Response(200, content=body), "egvs")

    assert document == {"ticks": float("inf"), "trend": "fl\ufffdat", "value": 120}
    assert json.dumps(document["value"]) == "120"


def test_bearer_header_contains_the_token() -> None:
    """A token of any length is sent unchanged."""
    assert bearer_header("a" * 5000) == {"Authorization": "Bearer " + "a" * 5000}


@pytest.mark.parametrize("token", ["line\nbreak", "caf\u00e9", " padded", ""])
def test_token_that_does_not_fit_into_a_header_is_rejected(token: str) -> None:
    """Such a token would appear in the text of an encoding error; the error that is raised has no token."""
    with pytest.raises(TokenRejected) as caught:
        bearer_header(token)

    assert not token or token not in str(caught.value)


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


def test_transition_is_found_once() -> None:
    """Only the first record with a new circuit state shows the transition."""
    transitions = CircuitTransitions()
    states: tuple[CircuitState | None, ...] = ("closed", "open", "open", None, "probing")

    found = [
        transitions.in_record(CallRecord("egvs", "GET", "/egvs", 1, sent=True, circuit=state))
        for state in states
    ]

    assert found == [None, ("closed", "open"), None, None, ("open", "probing")]


def test_a_redirect_is_not_followed() -> None:
    """It could send the token to another host. The request carries its call, for the transport."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "https://elsewhere.test/"})

    call = Call("devices", "/v3/devices")
    with httpx.Client(base_url=HOST, transport=httpx.MockTransport(answer), follow_redirects=True) as http:
        response = send(http, "GET", call, params={"day": "1"})

    (request,) = seen
    assert response.status_code == 302
    assert (request.url.raw_path, call_of(request)) == (b"/v3/devices?day=1", call)


def test_a_request_without_a_call_has_the_operation_other() -> None:
    """Its path is that of the request."""
    assert call_of(httpx.Request("GET", f"{HOST}/v3/x?secret=1")) == Call("other", "/v3/x")


def test_a_record_counts_from_zero() -> None:
    """An attempt that was refused took no time, did not wait and received nothing."""
    record = CallRecord("egvs", "GET", "/egvs", 1, sent=False)

    assert (record.latency_s, record.size_bytes, record.waited_s) == (0, 0, 0)


def test_a_number_of_twenty_digits_is_read() -> None:
    """A longer one is infinite, because Python refuses to parse very long ones."""
    text = f'{{"most": {"9" * 20}, "more": {"9" * 21}}}'

    document = parse_json_object(httpx.Response(200, text=text), "egvs")

    assert document == {"most": int("9" * 20), "more": math.inf}
