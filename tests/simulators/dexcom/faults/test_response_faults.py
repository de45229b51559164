from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.simulators.dexcom.visitor import DATA_RANGE, EGVS, TOKEN, Visitor, new_visitor


@pytest.fixture
def visitor() -> Visitor:
    """A visitor at noon; uploads are visible at once."""
    return new_visitor()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_any_status_can_be_returned(visitor: Visitor, status: int) -> None:
    """The fault acts on one call to its path; the next call succeeds."""
    tokens = visitor.connect()
    visitor.add_fault("status", status=status, path=DATA_RANGE, times=1)

    assert visitor.get(tokens, DATA_RANGE).status_code == status
    assert visitor.get(tokens, DATA_RANGE).status_code == 200


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("error", {"error": "temporarily_unavailable"}),
        ("error_description", {"error_description": "come back"}),
        ("error_and_description", {"error": "temporarily_unavailable", "error_description": "come back"}),
        ("errors", {"errors": ["come back"]}),
        ("message", {"message": "come back"}),
        (
            "faultstring",
            {"fault": {"faultstring": "come back", "detail": {"errorcode": "temporarily_unavailable"}}},
        ),
        (
            "faultString",
            {"fault": {"faultString": "come back", "detail": {"errorCode": "temporarily_unavailable"}}},
        ),
    ],
)
def test_an_error_can_have_every_json_shape(visitor: Visitor, shape: str, body: dict[str, object]) -> None:
    """Each of the JSON shapes that Dexcom may use is returned as ordered."""
    visitor.add_fault("status", status=500, body=shape, error="temporarily_unavailable", message="come back")

    assert visitor.refresh("x").json() == body


@pytest.mark.parametrize("shape", ["html", "truncated", "empty"])
def test_an_error_body_can_be_invalid_json(visitor: Visitor, shape: str) -> None:
    """HTML, a truncated body and an empty body cannot be parsed as JSON."""
    visitor.add_fault("status", status=502, body=shape)

    with pytest.raises(json.JSONDecodeError):
        visitor.refresh("x").json()


def test_a_refused_refresh_has_no_effect(visitor: Visitor) -> None:
    """After a 503 the same refresh token is still valid."""
    tokens = visitor.connect()
    visitor.add_fault("status", status=503, path=TOKEN, times=1)

    assert visitor.refresh(tokens["refresh_token"]).status_code == 503
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


def test_retry_after_can_have_both_forms(visitor: Visitor) -> None:
    """The header is a number of seconds, a date, or absent."""
    visitor.add_fault("status", status=429, retry_after_s=7, times=1)
    visitor.add_fault("status", status=429, retry_after_s=7, retry_after_form="date", times=1)
    visitor.add_fault("status", status=429, times=1)
    seconds, date, nothing = (visitor.refresh("x").headers.get("retry-after") for _ in range(3))

    assert seconds == "7"
    assert (parsedate_to_datetime(date) - visitor.simulator.clock.now()).total_seconds() == 7
    assert nothing is None


@pytest.mark.parametrize("shape", ["html", "truncated", "empty"])
def test_a_mangled_body_keeps_its_status(visitor: Visitor, shape: str) -> None:
    """The body is unusable under status 200, and the content length is correct."""
    tokens = visitor.connect()
    visitor.add_fault("mangled_body", shape=shape, path=EGVS)
    response = visitor.egvs(tokens, visitor.now_s - 3600, visitor.now_s)

    assert response.status_code == 200
    assert int(response.headers["content-length"]) == len(response.content)
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_refresh_with_a_mangled_body_has_an_effect(visitor: Visitor) -> None:
    """The new tokens are lost with the body, and the old refresh token is invalid."""
    tokens = visitor.connect()
    visitor.add_fault("mangled_body", shape="truncated", times=1)
    visitor.refresh(tokens["refresh_token"])

    assert visitor.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_a_slow_response_takes_simulated_time(visitor: Visitor) -> None:
    """Slow headers and each chunk of a slow body move the clock; then the response is complete."""
    tokens = visitor.connect()
    visitor.add_fault("slow_headers", wait_s=3, times=1)
    visitor.add_fault("slow_body", wait_s=2, chunks=4, times=1)

    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    assert visitor.get(tokens, DATA_RANGE).json()["recordType"] == "dataRange"
    assert visitor.clock.naps == [3, 2, 2, 2, 2]


@pytest.mark.parametrize("kind", ["slow_headers", "slow_body"])
def test_a_slow_response_can_time_out(visitor: Visitor, kind: str) -> None:
    """A client with a read timeout of 30 seconds gets a timeout after 30 seconds."""
    visitor.client.timeout = httpx.Timeout(30)
    visitor.add_fault(kind, wait_s=31)

    with pytest.raises(httpx.ReadTimeout):
        visitor.refresh("x")
    assert visitor.clock.naps == [30]


def test_a_slow_body_in_chunks_does_not_time_out(visitor: Visitor) -> None:
    """The timeout is for each read, so four pauses of 25 seconds do not exceed 30 seconds."""
    visitor.client.timeout = httpx.Timeout(30)
    visitor.add_fault("slow_body", wait_s=25, chunks=4)

    assert visitor.refresh("x").json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("when", "still_works"), [("before_handling", True), ("after_handling", False), ("mid_body", False)]
)
def test_a_dropped_connection_gives_no_response(visitor: Visitor, when: str, *, still_works: bool) -> None:
    """The client gets no response and cannot know whether the refresh took effect."""
    tokens = visitor.connect()
    visitor.add_fault("dropped", when=when, times=1)

    with pytest.raises(httpx.RemoteProtocolError):
        visitor.refresh(tokens["refresh_token"])
    assert (visitor.refresh(tokens["refresh_token"]).status_code == 200) is still_works


def test_the_call_log_counts_faults(visitor: Visitor) -> None:
    """The log names the faults that acted on each call, also for a dropped connection."""
    tokens = visitor.connect()
    visitor.client.delete("/_sim/calls")
    visitor.add_fault("status", status=503, times=1)
    visitor.add_fault("dropped", times=1)
    visitor.add_fault("unordered")
    visitor.get(tokens, DATA_RANGE)
    with pytest.raises(httpx.RemoteProtocolError):
        visitor.get(tokens, DATA_RANGE)
    visitor.day(tokens)
    report = visitor.client.get("/_sim/calls").json()

    assert report["by_fault"] == {"dropped": 1, "status": 1, "unordered": 1}
    assert report["by_status"] == {"200": 1, "503": 1, "dropped": 1}
    assert report["recent"][0]["faults"] == ["unordered"]
