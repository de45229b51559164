from __future__ import annotations

import pytest

from dexcom_sim.timestamps import written_utc
from tests.simulators.dexcom.visitor import DATA_RANGE, DAY_S, EGVS, HOUR_S, Visitor, new_visitor

V2_EGVS = "/v2/users/self/egvs"


@pytest.fixture
def visitor() -> Visitor:
    """Noon, with uploads served at once."""
    return new_visitor()


def test_a_day_of_readings(visitor: Visitor) -> None:
    """The last 24 hours hold nearly 288 records, newest first, all inside the window."""
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
def test_bad_windows_are_refused(visitor: Visitor, path: str, start: str | None, end: str | None) -> None:
    """Missing, zoned, incomplete, empty, reversed and too long windows are 400."""
    query = {name: text for name, text in (("startDate", start), ("endDate", end)) if text is not None}
    response = visitor.get(visitor.connect(), path, **query)

    assert response.status_code == 400
    assert "errors" in response.json()


def test_thirty_days_are_the_most_in_v3_and_ninety_in_v2(visitor: Visitor) -> None:
    """Exactly the longest window works, a second more does not."""
    tokens = visitor.connect()
    now_s = visitor.now_s
    long_ago_s = now_s - 900 * DAY_S  # Nobody wore a sensor then.

    assert len(visitor.egvs(tokens, now_s - 30 * DAY_S, now_s).json()["records"]) > 8_000
    assert visitor.egvs(tokens, long_ago_s, long_ago_s + 90 * DAY_S, V2_EGVS).json()["egvs"] == []
    assert visitor.egvs(tokens, long_ago_s, long_ago_s + 90 * DAY_S + 1, V2_EGVS).status_code == 400


def test_version_2_tells_the_same_readings(visitor: Visitor) -> None:
    """Both versions have the same values at the same times."""
    tokens = visitor.connect()
    newer = visitor.egvs(tokens, visitor.now_s - HOUR_S, visitor.now_s).json()["records"]
    older = visitor.egvs(tokens, visitor.now_s - HOUR_S, visitor.now_s, V2_EGVS).json()

    assert (older["unit"], older["rateUnit"]) == ("mg/dL", "mg/dL/min")
    assert [(it["systemTime"] + "Z", it["value"]) for it in older["egvs"]] == [
        (it["systemTime"], it["value"]) for it in newer
    ]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer unknown", "Basic dXNlcjpwYXNz"])
def test_only_a_living_token_opens_anything(visitor: Visitor, authorization: str) -> None:
    """Without one the response is 401, before any date is looked at."""
    assert visitor.client.get(EGVS, headers={"authorization": authorization}).status_code == 401


def test_a_token_dies_after_two_hours(visitor: Visitor) -> None:
    """Then it is 401, and a refresh helps."""
    tokens = visitor.connect()
    visitor.clock.advance(7200)

    assert visitor.get(tokens, DATA_RANGE).status_code == 401
    assert visitor.get(visitor.refresh(tokens["refresh_token"]).json(), DATA_RANGE).status_code == 200


def test_uploads_are_served_late() -> None:
    """With an hour's delay the newest hour is missing, and comes as time passes."""
    visitor = new_visitor(upload_delay_s=HOUR_S)
    tokens = visitor.connect("SandboxUser1")
    from_s, to_s = visitor.now_s - HOUR_S, visitor.now_s

    assert not visitor.egvs(tokens, from_s, to_s).json()["records"]
    visitor.clock.advance(11 * HOUR_S)
    tokens = visitor.refresh(tokens["refresh_token"]).json()
    assert visitor.egvs(tokens, from_s, to_s).json()["records"]


def test_nothing_is_known_of_the_future(visitor: Visitor) -> None:
    """A window that lies ahead is empty, not an error."""
    response = visitor.egvs(visitor.connect(), visitor.now_s + 1, visitor.now_s + DAY_S)

    assert (response.status_code, response.json()["records"]) == (200, [])


def test_devices_name_the_transmitter_of_the_newest_reading(visitor: Visitor) -> None:
    """The device record and the newest reading are of the same transmitter."""
    tokens = visitor.connect()
    device = visitor.get(tokens, "/v3/users/self/devices").json()["records"][0]

    assert device["transmitterId"] == visitor.day(tokens)[0]["transmitterId"]
    assert device["lastUploadDate"] == visitor.day(tokens)[0]["systemTime"]


@pytest.mark.parametrize("kind", ["events", "calibrations", "alerts"])
def test_other_records_are_empty_lists(visitor: Visitor, kind: str) -> None:
    """These people log nothing else, which is 200 with nothing in it."""
    response = visitor.egvs(visitor.connect(), visitor.now_s - DAY_S, visitor.now_s, f"/v3/users/self/{kind}")

    assert (response.status_code, response.json()["records"]) == (200, [])
    assert response.json()["recordType"] == kind.removesuffix("s")


def test_another_account_is_another_user_id(visitor: Visitor) -> None:
    """The user id stays over reconnecting, and is another one for another account."""

    def account(user: str) -> str:
        return str(visitor.get(visitor.connect(user), DATA_RANGE).json()["userId"])

    assert account("SandboxUser1") == account("SandboxUser1") != account("SandboxUser2")
