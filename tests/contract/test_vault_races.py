"""Races of a refresh with other processes, one interleaving at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts.connection import SK, ConnectionState
from bg_ingest.accounts.vault import NotConnected, VaultLimits
from bg_ingest.providers.errors import TryLater
from bg_ingest.providers.http.policy import Policy
from tests.contract.stepped import At, Crash, HalfWay, crash
from tests.contract.token_world import ADA, TokenProvider, TokenWorld
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

pytestmark = pytest.mark.exhaustive

LIMITS = VaultLimits()


@pytest.fixture
def world(users_table: Table, clock: FakeClock) -> TokenWorld:
    """A user who has logged in and whose first access token is rejected with 401."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    world.login()
    return world


def refresh(world: TokenWorld, turn: Callable[[str], None] = lambda _: None) -> str:
    """The token of a process whose first token was rejected; `turn` is called at every step."""
    return world.process(turn).token_for(ADA, rejected="access-1")


def test_the_loser_of_a_refresh_race_uses_the_new_tokens(world: TokenWorld) -> None:
    """If another process refreshes before this one has the lease, then its tokens are used."""
    assert refresh(world, At("before update_item", lambda: refresh(world))) == "access-2"
    assert world.provider.refreshes == 1


@pytest.mark.parametrize("step", ["before refresh", "after refresh"])
def test_a_running_refresh_is_awaited(world: TokenWorld, step: str) -> None:
    """The second process waits for the tokens, and one refresh serves both."""
    other = HalfWay(step)
    other.start(lambda: refresh(world, other))

    assert refresh(world, At("before get_item", other.finish, nth=3)) == "access-2"
    assert world.provider.refreshes == 1


def test_tokens_with_a_short_lifetime_serve_all_waiting(world: TokenWorld) -> None:
    """Tokens that live shorter than the refresh margin are used by all waiting processes."""
    world.provider.lifetime = LIMITS.margin / 2
    other = HalfWay("before refresh")
    other.start(lambda: refresh(world, other))

    assert refresh(world, At("before get_item", other.finish, nth=2)) == "access-2"
    assert world.provider.refreshes == 1


def test_waiting_for_a_refresh_is_limited(world: TokenWorld, clock: FakeClock) -> None:
    """If a refresh takes too long, then the job is retried later, and the provider is called once."""
    other = HalfWay("before refresh")
    other.start(lambda: refresh(world, other))

    with pytest.raises(TryLater):
        refresh(world)

    assert clock.naps == list(LIMITS.waits_s)
    assert other.finish() == "access-2"
    assert world.provider.refreshes == 1


def test_the_lease_is_longer_than_a_refresh() -> None:
    """The lease expires only after the call has ended and its result has been stored."""
    answer_s_max = Policy().time_s_max
    storing_s_max = sum(LIMITS.save_pauses_s)

    assert answer_s_max + storing_s_max < LIMITS.lease.total_seconds()


def test_a_failed_refresh_is_not_repeated_by_waiting_callers(world: TokenWorld) -> None:
    """One process calls a failing provider, and the waiting ones raise TryLater."""
    world.provider.trouble = TryLater("maintenance")
    other = HalfWay("before refresh")
    other.start(lambda: refresh(world, other))

    def fail() -> None:
        with pytest.raises(TryLater):
            other.finish()

    with pytest.raises(TryLater):
        refresh(world, At("before get_item", fail, nth=3))
    assert world.provider.refreshes == 1


def test_a_waiting_process_takes_over_an_expired_lease(world: TokenWorld, clock: FakeClock) -> None:
    """The lease of a crashed process expires during the wait, and the waiting process refreshes."""
    with pytest.raises(Crash):
        refresh(world, At("before refresh", crash))
    clock.advance(LIMITS.lease.total_seconds() - 1)

    assert refresh(world) == "access-2"


def test_invalid_grant_is_ignored_if_new_tokens_are_stored(world: TokenWorld) -> None:
    """If a login replaced the tokens during the refresh, then the new tokens are used."""
    assert refresh(world, At("before refresh", world.login)) == "access-2"
    assert world.connection.state is ConnectionState.CONNECTED


def test_a_late_refresh_restores_the_connection(world: TokenWorld, clock: FakeClock) -> None:
    """
    A process freezes after the provider's answer, and another one gets invalid_grant for the used token.

    The frozen process has the only valid tokens. It stores them when it continues.
    """

    def another_tries() -> None:
        clock.advance(LIMITS.lease.total_seconds())
        with pytest.raises(NotConnected):
            refresh(world)
        assert world.connection.state is ConnectionState.NEEDS_REAUTH

    assert refresh(world, At("after refresh", another_tries)) == "access-2"
    assert world.connection.state is ConnectionState.CONNECTED
    assert world.provider.lets_in(refresh(world))


def at_every_step(world: TokenWorld, action: Callable[[str], object]) -> Iterator[str | Exception]:
    """Refresh once per step, and run `action` of another process at that step; yield each result."""
    steps = At("never", crash)
    world.process(steps).token_for(ADA, rejected="access-1")
    for index, step in enumerate(steps.steps):
        world.login()
        world.provider.refreshes = 0
        rejected = world.provider.access_token
        turn = At(step, partial(action, rejected), nth=steps.steps[: index + 1].count(step))
        try:
            yield world.process(turn).token_for(ADA, rejected=rejected)
        except (NotConnected, TryLater) as error:
            yield error


def test_a_second_refresh_at_any_step_is_not_sent(world: TokenWorld) -> None:
    """One refresh is made; both processes have the new token, or one of them raises TryLater."""
    theirs: list[str | None] = []

    def they_refresh(rejected: str) -> None:
        try:
            theirs.append(world.process().token_for(ADA, rejected=rejected))
        except TryLater:
            theirs.append(None)

    for ours in at_every_step(world, they_refresh):
        assert ours == world.provider.access_token
        assert theirs.pop() in {ours, None}
        assert world.provider.refreshes == 1


def test_a_login_at_any_step_of_a_refresh_wins(world: TokenWorld) -> None:
    """After a login during a refresh the user is connected with valid tokens."""
    for outcome in at_every_step(world, lambda _: world.login()):
        assert isinstance(outcome, str)
        assert world.provider.lets_in(world.process().token_for(ADA))


def test_a_disconnect_at_any_step_of_a_refresh_wins(world: TokenWorld) -> None:
    """After a disconnect during a refresh the user is disconnected, and no token is stored."""
    for _ in at_every_step(world, lambda _: world.connections.disconnect(ADA)):
        assert world.connection.state is ConnectionState.DISCONNECTED
        assert world.connection.sealed_tokens is None


def test_an_erasure_at_any_step_of_a_refresh_wins(world: TokenWorld) -> None:
    """After an erasure during a refresh the connection does not exist."""
    for _ in at_every_step(world, lambda _: world.table.delete(ADA, SK)):
        assert world.table.get(ADA, SK) is None
