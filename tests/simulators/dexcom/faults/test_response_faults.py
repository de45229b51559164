from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.simulators.dexcom.visitor import DATA_RANGE, EGVS, TOKEN, Visitor, new_visitor


@pytest.fixture
def visitor() -> Visitor:
    """Noon, with uploads served at once."""
    return new_visitor()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_any_status_can_be_ordered(visitor: Visitor, status: int) -> None:
    """Once, for one path; the next call is answered as it should be."""
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
def test_errors_come_in_every_shape(visitor: Visitor, shape: str, body: dict[str, object]) -> None:
    """Each of the JSON shapes Dexcom was seen to use."""
    visitor.add_fault("status", status=500, body=shape, error="temporarily_unavailable", message="come back")

    assert visitor.refresh("x").json() == body


@pytest.mark.parametrize("shape", ["html", "truncated", "empty"])
def test_some_bodies_are_not_json(visitor: Visitor, shape: str) -> None:
    """Whoever reads them as JSON fails."""
    visitor.add_fault("status", status=502, body=shape)

    with pytest.raises(json.JSONDecodeError):
        visitor.refresh("x").json()


def test_a_refused_refresh_has_not_happened(visitor: Visitor) -> None:
    """After a 503 the same refresh token still works."""
    tokens = visitor.connect()
    visitor.add_fault("status", status=503, path=TOKEN, times=1)

    assert visitor.refresh(tokens["refresh_token"]).status_code == 503
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


def test_retry_after_comes_in_both_forms(visitor: Visitor) -> None:
    """As seconds, as a date, or not at all."""
    visitor.add_fault("status", status=429, retry_after_s=7, times=1)
    visitor.add_fault("status", status=429, retry_after_s=7, retry_after_form="date", times=1)
    visitor.add_fault("status", status=429, times=1)
    seconds, date, nothing = (visitor.refresh("x").headers.get("retry-after") for _ in range(3))

    assert seconds == "7"
    assert (parsedate_to_datetime(date) - visitor.simulator.clock.now()).total_seconds() == 7
    assert nothing is None


@pytest.mark.parametrize("shape", ["html", "truncated", "empty"])
def test_a_mangled_answer_keeps_its_status(visitor: Visitor, shape: str) -> None:
    """The body is of no use under a 200, and the length is true."""
    tokens = visitor.connect()
    visitor.add_fault("mangled_body", shape=shape, path=EGVS)
    response = visitor.egvs(tokens, visitor.now_s - 3600, visitor.now_s)

    assert response.status_code == 200
    assert int(response.headers["content-length"]) == len(response.content)
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_mangled_refresh_has_happened(visitor: Visitor) -> None:
    """The new tokens are lost with the body: the old refresh token is dead."""
    tokens = visitor.connect()
    visitor.add_fault("mangled_body", shape="truncated", times=1)
    visitor.refresh(tokens["refresh_token"])

    assert visitor.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_a_slow_answer_takes_its_time(visitor: Visitor) -> None:
    """Headers or every part of the body: time passes, then the whole response is there."""
    tokens = visitor.connect()
    visitor.add_fault("slow_headers", wait_s=3, times=1)
    visitor.add_fault("slow_body", wait_s=2, chunks=4, times=1)

    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    assert visitor.get(tokens, DATA_RANGE).json()["recordType"] == "dataRange"
    assert visitor.clock.naps == [3, 2, 2, 2, 2]


@pytest.mark.parametrize("kind", ["slow_headers", "slow_body"])
def test_who_waits_too_long_gives_up(visitor: Visitor, kind: str) -> None:
    """A client that waits 30 seconds for the next byte gets a timeout after 30 seconds."""
    visitor.client.timeout = httpx.Timeout(30)
    visitor.add_fault(kind, wait_s=31)

    with pytest.raises(httpx.ReadTimeout):
        visitor.refresh("x")
    assert visitor.clock.naps == [30]


def test_a_body_that_drips_does_not_time_out(visitor: Visitor) -> None:
    """Timeouts are per read: a hundred seconds in small parts are no timeout of 30."""
    visitor.client.timeout = httpx.Timeout(30)
    visitor.add_fault("slow_body", wait_s=25, chunks=4)

    assert visitor.refresh("x").json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("when", "still_works"), [("before_handling", True), ("after_handling", False), ("mid_body", False)]
)
def test_a_dropped_connection(visitor: Visitor, when: str, *, still_works: bool) -> None:
    """The caller gets no response, and cannot know whether the refresh has happened."""
    tokens = visitor.connect()
    visitor.add_fault("dropped", when=when, times=1)

    with pytest.raises(httpx.RemoteProtocolError):
        visitor.refresh(tokens["refresh_token"])
    assert (visitor.refresh(tokens["refresh_token"]).status_code == 200) is still_works


def test_struck_calls_are_counted_with_their_faults(visitor: Visitor) -> None:
    """The log says which fault struck which call, dropped connections included."""
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
