from __future__ import annotations

import pytest

from dexcom_sim.quota import CALLS_PER_HOUR_MAX, CallQuota
from dexcom_sim.timestamps import written_utc
from tests.simulators.dexcom.visitor import ANA, DATA_RANGE, DAY_S, HOUR_S, new_visitor


def test_a_revoked_user_must_connect_again() -> None:
    """Both tokens are invalid at once; a new login works, and other users are not affected."""
    visitor = new_visitor()
    tokens, other = visitor.connect(), visitor.connect("SandboxUser1")
    ordered = visitor.add_fault("user_revoked", user=ANA)

    assert ordered == {"id": None, "kind": "user_revoked", "user": ANA}
    assert visitor.get(tokens, DATA_RANGE).status_code == 401
    assert visitor.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert visitor.get(other, DATA_RANGE).status_code == 200
    assert visitor.get(visitor.connect(), DATA_RANGE).status_code == 200


def test_a_used_refresh_token_leaves_the_access_token() -> None:
    """The access token stays valid and the refresh is refused."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("refresh_token_used", user=ANA)

    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    assert visitor.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_an_access_token_can_expire_early() -> None:
    """The data endpoint returns 401, and a refresh succeeds."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("access_token_expired", user=ANA)

    assert visitor.get(tokens, DATA_RANGE).status_code == 401
    assert visitor.get(visitor.refresh(tokens["refresh_token"]).json(), DATA_RANGE).status_code == 200


def test_maintenance_refuses_refreshes_for_an_hour() -> None:
    """Data requests succeed meanwhile, and the refresh token is still valid after the hour."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("maintenance")

    assert visitor.refresh(tokens["refresh_token"]).status_code == 503
    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    visitor.clock.advance(HOUR_S)
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


def test_a_full_application_keeps_its_users() -> None:
    """A new user is refused; a user who is connected can log in again."""
    visitor = new_visitor()
    visitor.connect()
    visitor.add_fault("application_full")
    refused = visitor.exchange(visitor.code("SandboxUser1"))

    assert refused.json() == {"error": "invalid_client", "error_description": "max user count exceeded"}
    assert visitor.exchange(visitor.code()).status_code == 200


@pytest.mark.parametrize("retry_after", [False, True])
def test_the_quota_ends_with_the_hour(*, retry_after: bool) -> None:
    """Calls beyond the quota get 429 until the next hour of the clock."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("quota", calls_per_hour_max=2, retry_after=retry_after)
    visitor.clock.advance(600)

    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    refused = visitor.get(tokens, DATA_RANGE)
    assert (refused.status_code, refused.headers.get("retry-after")) == (429, "3000" if retry_after else None)
    visitor.clock.advance(3000)
    assert visitor.get(tokens, DATA_RANGE).status_code == 200


def test_the_default_quota_is_60_000_calls() -> None:
    """Sixty thousand calls are within the quota, and the next one exceeds it."""
    quota = CallQuota()

    assert all(quota.count_call(0) is None for _ in range(CALLS_PER_HOUR_MAX))
    assert quota.count_call(1) is not None
    assert quota.count_call(3600) is None


def test_clearing_the_faults_restores_the_quota() -> None:
    """After the fault was cleared calls succeed again."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("quota", calls_per_hour_max=0)
    assert visitor.get(tokens, DATA_RANGE).status_code == 429
    visitor.client.delete("/_sim/faults")

    assert visitor.get(tokens, DATA_RANGE).status_code == 200


@pytest.mark.parametrize("delay_s", [HOUR_S, 3 * HOUR_S, 14 * DAY_S])
def test_late_uploads_arrive_after_their_delay(delay_s: int) -> None:
    """Earlier uploads stay visible; later measurements are missing until the delay has passed."""
    visitor = new_visitor()
    before = {it["recordId"] for it in visitor.day(visitor.connect())}
    visitor.add_fault("late_uploads", user=ANA, delay_s=delay_s)
    visitor.clock.advance(HOUR_S - 1)
    window = visitor.now_s - HOUR_S + 2, visitor.now_s

    assert not visitor.egvs(visitor.connect(), *window).json()["records"]
    assert before <= {
        it["recordId"]
        for it in visitor.egvs(visitor.connect(), window[0] - 2 * DAY_S, window[1]).json()["records"]
    }
    visitor.clock.advance(delay_s)
    assert visitor.egvs(visitor.connect(), *window).json()["records"]


def test_late_uploads_are_in_the_data_range_on_arrival() -> None:
    """When the fault is cleared, all uploads arrive at once and dataRange reports them as new."""
    visitor = new_visitor()
    visitor.add_fault("late_uploads", user=ANA, delay_s=14 * DAY_S)
    visitor.clock.advance(DAY_S)
    synced = written_utc(visitor.now_s - 1)
    tokens = visitor.connect()
    assert visitor.get(tokens, DATA_RANGE, lastSyncTime=synced).json()["egvs"] is None

    visitor.client.delete("/_sim/faults")
    assert visitor.get(tokens, DATA_RANGE, lastSyncTime=synced).json()["egvs"]["start"][
        "systemTime"
    ] < written_utc(visitor.now_s - DAY_S + 600)
    assert len(visitor.day(tokens)) > 200
