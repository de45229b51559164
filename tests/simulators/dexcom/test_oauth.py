from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from dexcom_sim.oauth import ACCESS_LIFETIME, CODE_LIFETIME, Consents, IssuedTokens, RegisteredApplication
from tests.support.fakes import FakeClock

HOME = "https://app.example/callback"


def test_a_code_works_once() -> None:
    """The second exchange of the same code is refused."""
    consents = Consents(1, FakeClock())
    code = consents.grant_code("ana", HOME)

    assert consents.exchange(code, HOME) is not None
    assert consents.exchange(code, HOME) is None


def test_a_code_expires_after_a_minute() -> None:
    """After 59 seconds a code is valid, after 60 seconds it is not."""
    clock = FakeClock()
    consents = Consents(1, clock)
    in_time, too_late = consents.grant_code("ana", HOME), consents.grant_code("ana", HOME)

    clock.advance(CODE_LIFETIME.total_seconds() - 1)
    assert consents.exchange(in_time, HOME) is not None
    clock.advance(1)
    assert consents.exchange(too_late, HOME) is None


def test_a_code_is_bound_to_its_address() -> None:
    """A code sent with another redirect address is refused, and the attempt uses it up."""
    consents = Consents(1, FakeClock())
    code = consents.grant_code("ana", HOME)

    assert consents.exchange(code, "https://elsewhere.example/callback") is None
    assert consents.exchange(code, HOME) is None


def test_an_access_token_expires_after_two_hours() -> None:
    """A second before, it opens its user's data."""
    clock = FakeClock()
    consents = Consents(1, clock)
    tokens = consents.exchange(consents.grant_code("ana", HOME), HOME)
    assert tokens is not None

    clock.advance(ACCESS_LIFETIME.total_seconds() - 1)
    assert consents.user_of_access_token(tokens.access) == "ana"
    clock.advance(1)
    assert consents.user_of_access_token(tokens.access) is None


def test_tokens_are_not_issued_again_after_clear() -> None:
    """The tokens issued after `clear` differ from those issued before."""
    consents = Consents(1, FakeClock())
    before = consents.exchange(consents.grant_code("ana", HOME), HOME)
    consents.clear()
    after = consents.exchange(consents.grant_code("ben", HOME), HOME)

    assert before is not None
    assert after is not None
    assert not {before.access, before.refresh} & {after.access, after.refresh}


@pytest.mark.parametrize("uri", ["https://a.example/cb", "http://127.0.0.1:5001/oauth/callback"])
def test_without_a_list_every_web_address_is_allowed(uri: str) -> None:
    """With a list only its addresses are allowed; other schemes than http(s) never are."""
    assert RegisteredApplication().accepts_redirect(uri)
    assert RegisteredApplication(redirect_uris=(uri,)).accepts_redirect(uri)
    assert not RegisteredApplication(redirect_uris=(uri,)).accepts_redirect(uri + "/")
    assert not RegisteredApplication().accepts_redirect("javascript:alert(1)")


class TokenRotation(RuleBasedStateMachine):
    """Connects, refreshes and revokes in any order, and tracks which refresh tokens are valid."""

    issued = Bundle("issued")
    users = st.sampled_from(["ana", "ben"])

    def __init__(self) -> None:
        super().__init__()
        self.consents = Consents(1, FakeClock())
        self.valid: dict[str, str] = {}
        self.invalid: set[str] = set()

    @rule(target=issued, user=users)
    def connect(self, user: str) -> str:
        """A new login adds a valid token."""
        return self._track(user, self.consents.exchange(self.consents.grant_code(user, HOME), HOME))

    @rule(target=issued, token=consumes(issued))
    def refresh(self, token: str) -> str:
        """A valid token is exchanged for a new one and becomes invalid; an invalid token is refused."""
        user = self.valid.pop(token, None)
        tokens = self.consents.refresh(token)
        assert (tokens is None) == (user is None)
        self.invalid.add(token)
        return token if user is None else self._track(user, tokens)

    @rule(user=users)
    def revoke(self, user: str) -> None:
        """All tokens of this user become invalid, and no others."""
        self.consents.revoke(user)
        self.invalid |= {token for token, owner in self.valid.items() if owner == user}
        self.valid = {token: owner for token, owner in self.valid.items() if owner != user}

    @invariant()
    def connected_users_have_a_valid_token(self) -> None:
        """Exactly the users with a valid refresh token are connected."""
        connected = {user for user in ("ana", "ben") if self.consents.is_connected(user)}
        assert connected == set(self.valid.values())

    def _track(self, user: str, tokens: IssuedTokens | None) -> str:
        assert tokens is not None
        assert tokens.refresh not in self.invalid | set(self.valid)
        self.valid[tokens.refresh] = user
        return tokens.refresh


TestTokenRotation = TokenRotation.TestCase
TestTokenRotation.settings = settings(max_examples=50, stateful_step_count=20)
