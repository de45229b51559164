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


def test_a_code_lives_a_minute() -> None:
    """After 60 seconds a code is dead, a moment before it is not."""
    clock = FakeClock()
    consents = Consents(1, clock)
    in_time, too_late = consents.grant_code("ana", HOME), consents.grant_code("ana", HOME)

    clock.advance(CODE_LIFETIME.total_seconds() - 1)
    assert consents.exchange(in_time, HOME) is not None
    clock.advance(1)
    assert consents.exchange(too_late, HOME) is None


def test_a_code_is_bound_to_its_address() -> None:
    """A code that was sent to one address is worth nothing at another, and is spent by the attempt."""
    consents = Consents(1, FakeClock())
    code = consents.grant_code("ana", HOME)

    assert consents.exchange(code, "https://elsewhere.example/callback") is None
    assert consents.exchange(code, HOME) is None


def test_an_access_token_lives_two_hours() -> None:
    """It opens the person's data until then, and nobody's afterwards."""
    clock = FakeClock()
    consents = Consents(1, clock)
    tokens = consents.exchange(consents.grant_code("ana", HOME), HOME)
    assert tokens is not None

    clock.advance(ACCESS_LIFETIME.total_seconds() - 1)
    assert consents.user_of_access_token(tokens.access) == "ana"
    clock.advance(1)
    assert consents.user_of_access_token(tokens.access) is None


def test_forgotten_tokens_never_come_back() -> None:
    """After everything was forgotten, nobody is given a token that someone else once had."""
    consents = Consents(1, FakeClock())
    before = consents.exchange(consents.grant_code("ana", HOME), HOME)
    consents.clear()
    after = consents.exchange(consents.grant_code("ben", HOME), HOME)

    assert before is not None
    assert after is not None
    assert not {before.access, before.refresh} & {after.access, after.refresh}


@pytest.mark.parametrize("uri", ["https://a.example/cb", "http://127.0.0.1:5001/oauth/callback"])
def test_without_a_list_every_web_address_is_registered(uri: str) -> None:
    """A list makes it strict; without one, anything but a web address is refused."""
    assert RegisteredApplication().accepts_redirect(uri)
    assert RegisteredApplication(redirect_uris=(uri,)).accepts_redirect(uri)
    assert not RegisteredApplication(redirect_uris=(uri,)).accepts_redirect(uri + "/")
    assert not RegisteredApplication().accepts_redirect("javascript:alert(1)")


class Rotation(RuleBasedStateMachine):
    """Connects, refreshes and revokes in any order; keeps its own books of which refresh tokens live."""

    alive = Bundle("alive")
    users = st.sampled_from(["ana", "ben"])

    def __init__(self) -> None:
        super().__init__()
        self.consents = Consents(1, FakeClock())
        self.living: dict[str, str] = {}
        self.dead: set[str] = set()

    @rule(target=alive, user=users)
    def connect(self, user: str) -> str:
        """A new consent lives beside the old ones."""
        return self._keep(user, self.consents.exchange(self.consents.grant_code(user, HOME), HOME))

    @rule(target=alive, token=consumes(alive))
    def refresh(self, token: str) -> str:
        """A living token gives a new one and dies; a dead one gives nothing."""
        user = self.living.pop(token, None)
        tokens = self.consents.refresh(token)
        assert (tokens is None) == (user is None)
        self.dead.add(token)
        return token if user is None else self._keep(user, tokens)

    @rule(user=users)
    def revoke(self, user: str) -> None:
        """All tokens of that person die, and only theirs."""
        self.consents.revoke(user)
        self.dead |= {token for token, owner in self.living.items() if owner == user}
        self.living = {token: owner for token, owner in self.living.items() if owner != user}

    @invariant()
    def the_connected_are_those_with_a_living_token(self) -> None:
        """Who has a living refresh token is connected, and nobody else."""
        connected = {user for user in ("ana", "ben") if self.consents.is_connected(user)}
        assert connected == set(self.living.values())

    def _keep(self, user: str, tokens: IssuedTokens | None) -> str:
        assert tokens is not None
        assert tokens.refresh not in self.dead | set(self.living)
        self.living[tokens.refresh] = user
        return tokens.refresh


TestRotation = Rotation.TestCase
TestRotation.settings = settings(max_examples=50, stateful_step_count=20)
