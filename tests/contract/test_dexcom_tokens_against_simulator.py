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
    """A person who has connected."""
    return connected()


def test_the_user_revoked(caller: Caller) -> None:
    """The token is refused, then the refresh: the person has to log in."""
    caller.order(UserRevoked(user=PERSON))

    with pytest.raises(TokenRejected):
        caller.egvs()
    with pytest.raises(ConsentRevoked):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 2


def test_an_access_token_that_died_early(caller: Caller) -> None:
    """One refusal, one refresh, and on it goes."""
    caller.order(AccessTokenExpired(user=PERSON))
    with pytest.raises(TokenRejected):
        caller.egvs()

    fresh = caller.oauth.refresh(caller.tokens.refresh_token)

    egvs = caller.client.egvs(fresh.access_token, caller.now - timedelta(hours=1), caller.now)
    assert egvs.readings
    assert caller.calls == 3


def test_the_refresh_token_was_already_used(caller: Caller) -> None:
    """Somebody was faster: it is dead, and asking again would not revive it."""
    caller.order(RefreshTokenUsed(user=PERSON))

    with pytest.raises(ConsentRevoked):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1
    assert caller.readings()


@pytest.mark.parametrize("body", get_args(BodyShape))
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_a_refused_refresh(caller: Caller, status: int, body: BodyShape) -> None:
    """Whatever is said, as long as it is not invalid_grant, the same refresh token works later."""
    caller.order(StatusFault(status=status, body=body, path=TOKEN, times=1))

    with pytest.raises(TryLater):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1
    caller.clock.advance(60.0)
    assert caller.oauth.refresh(caller.tokens.refresh_token).access_token


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_server_says_invalid_grant(caller: Caller, status: int) -> None:
    """It is not believed: the connection lives."""
    caller.order(StatusFault(status=status, body="error", error="invalid_grant", path=TOKEN))

    with pytest.raises(TryLater):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1


def test_the_maintenance_hour(caller: Caller) -> None:
    """Refreshes fail for an hour, data goes on, and then the old refresh token is as good as ever."""
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
def test_a_refresh_whose_answer_is_lost(
    caller: Caller, fault: MangledBody | SlowHeaders | Dropped, kind: type[ProviderError]
) -> None:
    """It is not sent again. That the token was spent shows in the next refresh, and only there."""
    caller.order(fault)

    with pytest.raises(kind):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.calls == 1
    with pytest.raises(ConsentRevoked):
        caller.oauth.refresh(caller.tokens.refresh_token)


def test_a_refresh_that_never_arrived(caller: Caller) -> None:
    """Nothing was spent; we cannot know, and the next refresh finds out."""
    caller.order(Dropped(when="before_handling", path=TOKEN, times=1))

    with pytest.raises(Unavailable):
        caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.oauth.refresh(caller.tokens.refresh_token).access_token
    assert caller.calls == 2


def test_the_application_is_full(caller: Caller) -> None:
    """Nobody new gets in; who is in stays in."""
    caller.order(FullApplication())

    with pytest.raises(ApplicationFull):
        caller.oauth.exchange(caller.code("SandboxUser1"))
    assert caller.calls == 1
    assert caller.oauth.refresh(caller.tokens.refresh_token).access_token


def test_a_code_works_once_and_for_a_minute(caller: Caller) -> None:
    """Used or too old: the person starts again."""
    used, old = caller.code(PERSON), caller.code(PERSON)
    caller.oauth.exchange(used)
    with pytest.raises(CodeRefused):
        caller.oauth.exchange(used)

    caller.clock.advance(61.0)
    with pytest.raises(CodeRefused):
        caller.oauth.exchange(old)
    assert caller.calls == 3
