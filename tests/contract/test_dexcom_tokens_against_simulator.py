from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from bg_ingest.providers.errors import (
    ApplicationFull,
    CodeRefused,
    ConsentRevoked,
    Garbled,
    ProviderError,
    TokenRejected,
    TryLater,
    Unavailable,
)
from dexcom_sim.faults import (
    AccessTokenExpired,
    BodyShape,
    Dropped,
    FullApplication,
    Maintenance,
    MangledBody,
    RefreshTokenUsed,
    SlowHeaders,
    StatusFault,
    UserRevoked,
)
from tests.contract.dexcom_caller import PERSON, Caller, connected

TOKEN = "*/token"


@pytest.fixture
def caller() -> Caller:
    """A user who has just connected."""
    return connected()


def test_revoked_consent_needs_a_login(caller: Caller) -> None:
    """After the user revokes the consent, the access token is rejected and so is the refresh."""
    caller.order(UserRevoked(user=PERSON))

    with pytest.raises(TokenRejected):
        caller.egvs()
    with pytest.raises(ConsentRevoked):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 2


def test_expired_access_token_is_refreshed(caller: Caller) -> None:
    """An access token that expired early is rejected; after one refresh the call succeeds."""
    caller.order(AccessTokenExpired(user=PERSON))
    with pytest.raises(TokenRejected):
        caller.egvs()

    fresh = caller.oauth.refresh(caller.tokens.refresh_token)

    egvs = caller.client.egvs(fresh.access_token, caller.now - timedelta(hours=1), caller.now)
    assert egvs.readings
    assert caller.calls == 3


def test_used_refresh_token_is_rejected(caller: Caller) -> None:
    """A refresh token that was already used raises ConsentRevoked after one call."""
    caller.order(RefreshTokenUsed(user=PERSON))

    with pytest.raises(ConsentRevoked):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1
    assert caller.readings()


@pytest.mark.parametrize("body", get_args(BodyShape))
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_failed_refresh_can_be_repeated_later(caller: Caller, status: int, body: BodyShape) -> None:
    """Any error but `invalid_grant` leaves the refresh token valid."""
    caller.order(StatusFault(status=status, body=body, path=TOKEN, times=1))

    with pytest.raises(TryLater):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1
    caller.clock.advance(60.0)
    assert caller.oauth.refresh(caller.tokens.refresh_token).access_token


@pytest.mark.parametrize("status", [429, 500, 503])
def test_invalid_grant_in_a_5xx_is_ignored(caller: Caller, status: int) -> None:
    """`invalid_grant` in a 429 or 5xx does not end the connection."""
    caller.order(StatusFault(status=status, body="error", error="invalid_grant", path=TOKEN))

    with pytest.raises(TryLater):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1


def test_refresh_works_after_maintenance(caller: Caller) -> None:
    """During maintenance refreshes fail and data is served; afterwards the same refresh token works."""
    caller.order(Maintenance())

    with pytest.raises(Unavailable):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.readings()
    assert caller.calls == 2
    caller.clock.advance(3600.0)
    assert caller.oauth.refresh(caller.tokens.refresh_token).refresh_token != caller.tokens.refresh_token


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (MangledBody(shape="truncated", path=TOKEN, times=1), Garbled),
        (SlowHeaders(wait_s=35.0, path=TOKEN, times=1), Unavailable),
        (Dropped(when="after_handling", path=TOKEN, times=1), Unavailable),
        (Dropped(when="mid_body", path=TOKEN, times=1), Unavailable),
    ],
    ids=lambda case: getattr(case, "kind", ""),
)
def test_lost_response_of_a_refresh(
    caller: Caller, fault: MangledBody | SlowHeaders | Dropped, kind: type[ProviderError]
) -> None:
    """A refresh whose response is lost is not repeated; the next refresh shows that the token was used."""
    caller.order(fault)

    with pytest.raises(kind):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1
    with pytest.raises(ConsentRevoked):
        caller.oauth.refresh(caller.tokens.refresh_token)


def test_lost_request_of_a_refresh(caller: Caller) -> None:
    """If the request itself was lost, then the refresh token is still valid for the next refresh."""
    caller.order(Dropped(when="before_handling", path=TOKEN, times=1))

    with pytest.raises(Unavailable):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.oauth.refresh(caller.tokens.refresh_token).access_token
    assert caller.calls == 2


def test_full_application_rejects_new_users_only(caller: Caller) -> None:
    """At the user limit a new login raises ApplicationFull, and existing users can refresh."""
    caller.order(FullApplication())

    with pytest.raises(ApplicationFull):
        caller.oauth.exchange(caller.code("SandboxUser1"))
    assert caller.calls == 1
    assert caller.oauth.refresh(caller.tokens.refresh_token).access_token


def test_code_works_one_time_and_for_a_minute(caller: Caller) -> None:
    """A code that was used or is older than a minute raises CodeRefused."""
    used, old = caller.code(PERSON), caller.code(PERSON)
    caller.oauth.exchange(used)
    with pytest.raises(CodeRefused):
        caller.oauth.exchange(used)

    caller.clock.advance(61.0)
    with pytest.raises(CodeRefused):
        caller.oauth.exchange(old)
    assert caller.calls == 3
