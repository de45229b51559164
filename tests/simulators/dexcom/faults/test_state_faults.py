from __future__ import annotations

import pytest

from dexcom_sim.quota import CALLS_PER_HOUR_MAX, CallQuota
from dexcom_sim.timestamps import written_utc
from tests.simulators.dexcom.visitor import ANA, DATA_RANGE, DAY_S, HOUR_S, new_visitor


def test_a_revoked_person_must_connect_again() -> None:
    """Both tokens are dead at once; a new consent works, and other people notice nothing."""
    visitor = new_visitor()
    tokens, other = visitor.connect(), visitor.connect("SandboxUser1")
    ordered = visitor.add_fault("user_revoked", user=ANA)

    assert ordered == {"id": None, "kind": "user_revoked", "user": ANA}
    assert visitor.get(tokens, DATA_RANGE).status_code == 401
    assert visitor.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}
    assert visitor.get(other, DATA_RANGE).status_code == 200
    assert visitor.get(visitor.connect(), DATA_RANGE).status_code == 200


def test_a_refresh_token_that_someone_else_used() -> None:
    """The access token works on, the refresh is refused."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("refresh_token_used", user=ANA)

    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    assert visitor.refresh(tokens["refresh_token"]).json() == {"error": "invalid_grant"}


def test_an_access_token_that_died_early() -> None:
    """The data answers 401, and a refresh helps."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("access_token_expired", user=ANA)

    assert visitor.get(tokens, DATA_RANGE).status_code == 401
    assert visitor.get(visitor.refresh(tokens["refresh_token"]).json(), DATA_RANGE).status_code == 200


def test_maintenance_stops_refreshes_for_an_hour() -> None:
    """Data and logins work all the time, and the refresh token survives the hour."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("maintenance")

    assert visitor.refresh(tokens["refresh_token"]).status_code == 503
    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    visitor.clock.advance(HOUR_S)
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


def test_a_full_application_keeps_its_people() -> None:
    """Nobody new gets in, those who are connected may come again."""
    visitor = new_visitor()
    visitor.connect()
    visitor.add_fault("application_full")
    refused = visitor.exchange(visitor.code("SandboxUser1"))

    assert refused.json() == {"error": "invalid_client", "error_description": "max user count exceeded"}
    assert visitor.exchange(visitor.code()).status_code == 200


@pytest.mark.parametrize("retry_after", [False, True])
def test_the_quota_ends_with_the_hour(*, retry_after: bool) -> None:
    """Calls beyond it are 429 until the next hour of the clock begins."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("quota", calls_per_hour_max=2, retry_after=retry_after)
    visitor.clock.advance(600)

    assert visitor.get(tokens, DATA_RANGE).status_code == 200
    refused = visitor.get(tokens, DATA_RANGE)
    assert (refused.status_code, refused.headers.get("retry-after")) == (429, "3000" if retry_after else None)
    visitor.clock.advance(3000)
    assert visitor.get(tokens, DATA_RANGE).status_code == 200


def test_the_quota_is_dexcoms_unless_ordered_otherwise() -> None:
    """Sixty thousand calls pass, the next one does not."""
    quota = CallQuota()

    assert all(quota.count_call(0) is None for _ in range(CALLS_PER_HOUR_MAX))
    assert quota.count_call(1) is not None
    assert quota.count_call(3600) is None


def test_clearing_the_faults_lifts_the_quota() -> None:
    """Afterwards calls pass again."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("quota", calls_per_hour_max=0)
    assert visitor.get(tokens, DATA_RANGE).status_code == 429
    visitor.client.delete("/_sim/faults")

    assert visitor.get(tokens, DATA_RANGE).status_code == 200


@pytest.mark.parametrize("delay_s", [HOUR_S, 3 * HOUR_S, 14 * DAY_S])
def test_late_uploads_come_after_their_delay(delay_s: int) -> None:
    """What had arrived stays; what is measured later is missing until the delay is over."""
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


def test_late_uploads_are_news_when_they_come() -> None:
    """When the hold is cleared everything arrives at once, and dataRange names it as uploaded since."""
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
