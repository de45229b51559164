from __future__ import annotations

import pytest

from dexcom_sim.timestamps import written_utc
from tests.simulators.dexcom.visitor import ANA, DATA_RANGE, DAY_S, EGVS, HOUR_S, LOGIN, TOKEN, new_visitor


def test_health_returns_the_seed_and_the_time() -> None:
    """A program that waits for the start sees which simulator has started."""
    assert new_visitor(seed=5).client.get("/_sim/health").json() == {
        "status": "ok",
        "seed": 5,
        "now": "2026-04-26T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("move", "now"),
    [
        ({"advance_s": 300}, "2026-04-26T12:05:00Z"),
        ({"offset_s": -3600}, "2026-04-26T11:00:00Z"),
        ({"now": "2026-12-24T18:00:00Z"}, "2026-12-24T18:00:00Z"),
        ({"now": "2026-12-24T18:00:00+01:00"}, "2026-12-24T17:00:00Z"),
    ],
)
def test_the_clock_can_be_moved(move: dict[str, object], now: str) -> None:
    """The clock can be advanced, set to an offset, or set to an instant."""
    client = new_visitor().client

    assert client.post("/_sim/clock", json=move).json()["now"] == now
    assert client.get("/_sim/clock").json()["now"] == now


@pytest.mark.parametrize(
    "move",
    [
        {},
        {"advance_s": 1, "offset_s": 1},
        {"now": "2026-12-24T18:00:00"},
        {"now": "9999-01-01T00:00:00Z"},
        {"x": 1},
    ],
)
def test_an_unclear_clock_move_is_rejected(move: dict[str, object]) -> None:
    """No member, two members, an instant without a zone, and an unknown member are rejected."""
    assert new_visitor().client.post("/_sim/clock", json=move).status_code == 422


def test_all_sandbox_users_are_listed() -> None:
    """The list has the device, the sensor and whether the user is connected."""
    visitor = new_visitor()
    visitor.connect()
    users = {it["user"]: it for it in visitor.client.get("/_sim/users").json()["users"]}

    assert users["SandboxUser4"]["device"] == "receiver"
    assert users["SandboxUser7"]["generation"] == "g7"
    assert [name for name, it in users.items() if it["connected"]] == [ANA]


def test_an_added_reading_is_visible_at_once() -> None:
    """Given members are copied; the others have the values of the user's own device."""
    visitor = new_visitor()
    tokens = visitor.connect()
    body = {
        "system_time": "2026-04-26T11:58:30Z",
        "value": 41,
        "trend": None,
        "displayApp": "G7 Plus",
        "new": [1],
    }
    added = visitor.client.post(f"/_sim/users/{ANA}/readings", json=body)
    mine = [it for it in visitor.day(tokens) if it["systemTime"] == "2026-04-26T11:58:30Z"]

    assert added.status_code == 201
    assert mine == added.json()["records"]
    assert (mine[0]["value"], mine[0]["trend"], mine[0]["new"]) == (41, None, [1])
    assert mine[0]["displayTime"] == "2026-04-26T13:58:30+02:00"


def test_an_added_reading_can_be_older_than_any_sensor() -> None:
    """A reading from before the first sensor is returned, and dataRange starts with it."""
    visitor = new_visitor()
    tokens = visitor.connect()
    body = {"system_time": "2020-01-01T00:00:00Z", "value": 120}
    visitor.client.post(f"/_sim/users/{ANA}/readings", json=body)
    old_s = 1_577_836_800

    assert [it["value"] for it in visitor.egvs(tokens, old_s, old_s + 1).json()["records"]] == [120]
    start = visitor.get(tokens, DATA_RANGE).json()["egvs"]["start"]
    assert start["systemTime"] == "2020-01-01T00:00:00Z"


def test_an_added_reading_can_be_late() -> None:
    """A reading with `uploaded_at` is visible from then on."""
    visitor = new_visitor()
    tokens = visitor.connect()
    when = written_utc(visitor.now_s - 30)
    body = {"system_time": when, "value": 222, "uploaded_at": written_utc(visitor.now_s + HOUR_S)}
    visitor.client.post(f"/_sim/users/{ANA}/readings", json=[body])

    assert 222 not in [it["value"] for it in visitor.day(tokens) if it["systemTime"] == when]
    visitor.clock.advance(HOUR_S)
    assert 222 in [it["value"] for it in visitor.day(tokens) if it["systemTime"] == when]


@pytest.mark.parametrize("body", [{}, {"system_time": "2026-04-26T11:58:30", "value": 1}, {"value": 1}, []])
def test_an_added_reading_needs_a_time_and_a_value(body: object) -> None:
    """A reading without them is rejected; an empty list adds no reading."""
    response = new_visitor().client.post(f"/_sim/users/{ANA}/readings", json=body)

    assert response.status_code == (201 if body == [] else 422)


def test_the_upload_delay_is_set_per_user() -> None:
    """One user's uploads can be late while another user's are not."""
    visitor = new_visitor()
    slow, quick = visitor.connect(), visitor.connect("SandboxUser1")
    visitor.client.put(f"/_sim/users/{ANA}/upload-delay", json={"upload_delay_s": 3 * HOUR_S})
    window = visitor.now_s - 2 * HOUR_S, visitor.now_s

    assert not visitor.egvs(slow, *window).json()["records"]
    assert visitor.egvs(quick, *window).json()["records"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/_sim/users/NoSuchUser/readings", {"system_time": "2026-04-26T11:58:30Z", "value": 1}),
        ("PUT", "/_sim/users/NoSuchUser/upload-delay", {"upload_delay_s": 1}),
        ("POST", "/_sim/faults", {"kind": "user_revoked", "user": "NoSuchUser"}),
    ],
)
def test_an_unknown_user_is_404(method: str, path: str, body: dict[str, object]) -> None:
    """A name that no sandbox user has is not found."""
    assert new_visitor().client.request(method, path, json=body).status_code == 404


def test_calls_are_counted_per_user_path_and_status() -> None:
    """Every call to Dexcom's API counts; calls to the control API do not."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.day(tokens)
    visitor.get(tokens, EGVS)
    report = visitor.client.get("/_sim/calls").json()

    assert report["total"] == 4
    assert report["by_user"][ANA] == {LOGIN: {"302": 1}, TOKEN: {"200": 1}, EGVS: {"200": 1, "400": 1}}
    assert report["by_path"] == {LOGIN: 1, TOKEN: 1, EGVS: 2}
    assert report["by_status"] == {"200": 2, "302": 1, "400": 1}


def test_the_call_log_contains_no_secret() -> None:
    """No code, token, secret or state is in the log."""
    visitor = new_visitor()
    code = visitor.code()
    tokens = visitor.exchange(code).json()
    visitor.refresh(tokens["refresh_token"])
    visitor.day(tokens)
    log = visitor.client.get("/_sim/calls").text
    secrets = [code, tokens["access_token"], tokens["refresh_token"], "bg-ingest-secret", "state-4711"]

    assert not [secret for secret in secrets if secret in log]
    assert "startDate=2026-04-25T12:00:00" in log


def test_the_call_log_can_be_cleared() -> None:
    """After clearing, the total is zero."""
    visitor = new_visitor()
    visitor.connect()

    assert visitor.client.delete("/_sim/calls").json()["total"] == 0


def test_reset_restores_the_initial_state() -> None:
    """Consents, faults, added readings, calls and the clock offset are removed."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("status", status=503)
    visitor.client.post("/_sim/clock", json={"advance_s": DAY_S})
    visitor.client.post("/_sim/reset")

    assert visitor.client.get("/_sim/clock").json() == {"now": "2026-04-26T12:00:00Z", "offset_s": 0.0}
    assert visitor.client.get("/_sim/faults").json() == {"faults": []}
    assert visitor.egvs(tokens, visitor.now_s - HOUR_S, visitor.now_s).status_code == 401
    assert visitor.client.get("/_sim/calls").json()["total"] == 1
    assert visitor.day(visitor.connect())
