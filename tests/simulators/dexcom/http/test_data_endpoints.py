from __future__ import annotations

import pytest

from dexcom_sim.timestamps import written_utc
from tests.simulators.dexcom.visitor import DATA_RANGE, DAY_S, EGVS, HOUR_S, Visitor, new_visitor

V2_EGVS = "/v2/users/self/egvs"


@pytest.fixture
def visitor() -> Visitor:
    """A visitor at noon; uploads are visible at once."""
    return new_visitor()


def test_a_day_has_nearly_288_readings(visitor: Visitor) -> None:
    """The readings of the last 24 hours are in the window, newest first."""
    tokens = visitor.connect()
    response = visitor.egvs(tokens, visitor.now_s - DAY_S, visitor.now_s).json()
    times = [record["systemTime"] for record in response["records"]]

    assert (response["recordType"], response["recordVersion"]) == ("egv", "3.0")
    assert len(bytes.fromhex(response["userId"])) == 32
    assert 200 < len(times) <= 288
    assert times == sorted(times, reverse=True)
    assert written_utc(visitor.now_s - DAY_S) <= times[-1] < times[0] < written_utc(visitor.now_s)


def test_the_window_is_half_open(visitor: Visitor) -> None:
    """A reading at the start belongs to the window, one at the end does not."""
    tokens = visitor.connect()
    when_s = visitor.now_s - 400 * DAY_S + 5
    body = {"system_time": written_utc(when_s), "value": 111}
    visitor.client.post("/_sim/users/SandboxUser3/readings", json=body)

    def values(from_s: int, to_s: int) -> list[int]:
        return [record["value"] for record in visitor.egvs(tokens, from_s, to_s).json()["records"]]

    assert 111 in values(when_s, when_s + 1)
    assert 111 not in values(when_s - 10, when_s)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, "2026-04-26T00:00:00"),
        ("2026-04-25T00:00:00", None),
        ("2026-04-25T00:00:00Z", "2026-04-26T00:00:00Z"),
        ("2026-04-25", "2026-04-26"),
        ("2026-04-26T00:00:00", "2026-04-26T00:00:00"),
        ("2026-04-26T00:00:00", "2026-04-25T00:00:00"),
        ("2026-03-01T00:00:00", "2026-03-31T00:00:01"),
    ],
)
@pytest.mark.parametrize("path", [EGVS, "/v3/users/self/events", "/v3/users/self/alerts"])
def test_an_invalid_window_is_rejected(
    visitor: Visitor, path: str, start: str | None, end: str | None
) -> None:
    """A missing, zoned, incomplete, empty, reversed or too long window is 400."""
    query = {name: text for name, text in (("startDate", start), ("endDate", end)) if text is not None}
    response = visitor.get(visitor.connect(), path, **query)

    assert response.status_code == 400
    assert "errors" in response.json()


def test_windows_are_limited_to_30_and_90_days(visitor: Visitor) -> None:
    """The longest window succeeds in version 3 and version 2; one more second is rejected."""
    tokens = visitor.connect()
    now_s = visitor.now_s
    long_ago_s = now_s - 900 * DAY_S  # Before the first sensor.

    assert len(visitor.egvs(tokens, now_s - 30 * DAY_S, now_s).json()["records"]) > 8_000
    assert visitor.egvs(tokens, long_ago_s, long_ago_s + 90 * DAY_S, V2_EGVS).json()["egvs"] == []
    assert visitor.egvs(tokens, long_ago_s, long_ago_s + 90 * DAY_S + 1, V2_EGVS).status_code == 400


def test_version_2_returns_the_same_readings(visitor: Visitor) -> None:
    """Both versions have the same values at the same times."""
    tokens = visitor.connect()
    newer = visitor.egvs(tokens, visitor.now_s - HOUR_S, visitor.now_s).json()["records"]
    older = visitor.egvs(tokens, visitor.now_s - HOUR_S, visitor.now_s, V2_EGVS).json()

    assert (older["unit"], older["rateUnit"]) == ("mg/dL", "mg/dL/min")
    assert [(it["systemTime"] + "Z", it["value"]) for it in older["egvs"]] == [
        (it["systemTime"], it["value"]) for it in newer
    ]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer unknown", "Basic dXNlcjpwYXNz"])
def test_a_missing_or_unknown_token_is_401(visitor: Visitor, authorization: str) -> None:
    """The token is checked before the dates."""
    assert visitor.client.get(EGVS, headers={"authorization": authorization}).status_code == 401


def test_an_access_token_expires_after_two_hours(visitor: Visitor) -> None:
    """An expired token gets 401, and a refresh succeeds."""
    tokens = visitor.connect()
    visitor.clock.advance(7200)

    assert visitor.get(tokens, DATA_RANGE).status_code == 401
    assert visitor.get(visitor.refresh(tokens["refresh_token"]).json(), DATA_RANGE).status_code == 200


def test_uploads_become_visible_after_the_delay() -> None:
    """With a delay of an hour the newest hour is empty at first and filled later."""
    visitor = new_visitor(upload_delay_s=HOUR_S)
    tokens = visitor.connect("SandboxUser1")
    from_s, to_s = visitor.now_s - HOUR_S, visitor.now_s

    assert not visitor.egvs(tokens, from_s, to_s).json()["records"]
    visitor.clock.advance(11 * HOUR_S)
    tokens = visitor.refresh(tokens["refresh_token"]).json()
    assert visitor.egvs(tokens, from_s, to_s).json()["records"]


def test_a_window_in_the_future_is_empty(visitor: Visitor) -> None:
    """A window in the future is not an error."""
    response = visitor.egvs(visitor.connect(), visitor.now_s + 1, visitor.now_s + DAY_S)

    assert (response.status_code, response.json()["records"]) == (200, [])


def test_devices_returns_the_current_transmitter(visitor: Visitor) -> None:
    """The device record and the newest reading have the same transmitter."""
    tokens = visitor.connect()
    device = visitor.get(tokens, "/v3/users/self/devices").json()["records"][0]

    assert device["transmitterId"] == visitor.day(tokens)[0]["transmitterId"]
    assert device["lastUploadDate"] == visitor.day(tokens)[0]["systemTime"]


@pytest.mark.parametrize("kind", ["events", "calibrations", "alerts"])
def test_other_records_are_empty_lists(visitor: Visitor, kind: str) -> None:
    """Events, calibrations and alerts are 200 with an empty list."""
    response = visitor.egvs(visitor.connect(), visitor.now_s - DAY_S, visitor.now_s, f"/v3/users/self/{kind}")

    assert (response.status_code, response.json()["records"]) == (200, [])
    assert response.json()["recordType"] == kind.removesuffix("s")


def test_the_user_id_belongs_to_the_account(visitor: Visitor) -> None:
    """The user id is the same after a new login, and differs between accounts."""

    def account(user: str) -> str:
        return str(visitor.get(visitor.connect(user), DATA_RANGE).json()["userId"])

    assert account("SandboxUser1") == account("SandboxUser1") != account("SandboxUser2")
