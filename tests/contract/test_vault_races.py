"""What other processes may do between any two steps of a refresh, played one interleaving at a time."""

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
    """Ada has logged in, and the provider has begun to answer 401 to her first token."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    world.login()
    return world


def refresh(world: TokenWorld, turn: Callable[[str], None] = lambda _: None) -> str:
    """What a process gets that was told 401 for the first token; `turn` sees its every step."""
    return world.process(turn).token_for(ADA, rejected="access-1")


def test_the_loser_of_the_race_uses_the_winners_tokens(world: TokenWorld) -> None:
    """Somebody refreshes between our look and our claim: we look again, and do not refresh."""
    assert refresh(world, At("before update_item", lambda: refresh(world))) == "access-2"
    assert world.provider.refreshes == 1


@pytest.mark.parametrize("step", ["before refresh", "after refresh"])
def test_who_finds_a_refresh_under_way_waits_for_it(world: TokenWorld, step: str) -> None:
    """The tokens appear while we wait; one refresh served both."""
    other = HalfWay(step)
    other.start(lambda: refresh(world, other))

    assert refresh(world, At("before get_item", other.finish, nth=3)) == "access-2"
    assert world.provider.refreshes == 1


def test_short_lived_tokens_serve_all_who_waited(world: TokenWorld) -> None:
    """Should the provider's tokens live for less than our margin, those who wait still do not queue up."""
    world.provider.lifetime = LIMITS.margin / 2
    other = HalfWay("before refresh")
    other.start(lambda: refresh(world, other))

    assert refresh(world, At("before get_item", other.finish, nth=2)) == "access-2"
    assert world.provider.refreshes == 1


def test_nobody_waits_for_ever(world: TokenWorld, clock: FakeClock) -> None:
    """A refresh that takes too long sends the work back to the queue; the provider is not asked twice."""
    other = HalfWay("before refresh")
    other.start(lambda: refresh(world, other))

    with pytest.raises(TryLater):
        refresh(world)

    assert clock.naps == list(LIMITS.waits_s)
    assert other.finish() == "access-2"
    assert world.provider.refreshes == 1


def test_a_lease_outlives_every_refresh() -> None:
    """It may run out only once its holder has surely been answered, or never will be."""
    answer_s_max = Policy().time_s_max
    storing_s_max = sum(LIMITS.save_pauses_s)

    assert answer_s_max + storing_s_max < LIMITS.lease.total_seconds()


def test_who_waited_for_a_failure_does_not_repeat_it(world: TokenWorld) -> None:
    """One of many asks a provider in trouble; the others go back to the queue with that answer."""
    world.provider.trouble = TryLater("maintenance")
    other = HalfWay("before refresh")
    other.start(lambda: refresh(world, other))

    def fail() -> None:
        with pytest.raises(TryLater):
            other.finish()

    with pytest.raises(TryLater):
        refresh(world, At("before get_item", fail, nth=3))
    assert world.provider.refreshes == 1


def test_a_dead_holder_is_succeeded_by_who_waits(world: TokenWorld, clock: FakeClock) -> None:
    """The lease runs out while we wait: we refresh."""
    with pytest.raises(Crash):
        refresh(world, At("before refresh", crash))
    clock.advance(LIMITS.lease.total_seconds() - 1)

    assert refresh(world) == "access-2"


def test_a_dead_refresh_token_ends_nothing_if_a_new_one_is_stored(world: TokenWorld) -> None:
    """Invalid_grant for tokens that were replaced meanwhile: the new ones are used."""
    assert refresh(world, At("before refresh", world.login)) == "access-2"
    assert world.connection.state is ConnectionState.CONNECTED


def test_a_holder_that_slept_over_its_lease_still_saves_the_connection(
    world: TokenWorld, clock: FakeClock
) -> None:
    """
    The provider answered, then the process froze for a minute; another got invalid_grant for the spent token.

    The sleeper holds the only living tokens. When it wakes they are stored and the connection is back.
    """

    def another_tries() -> None:
        clock.advance(LIMITS.lease.total_seconds())
        with pytest.raises(NotConnected):
            refresh(world)
        assert world.connection.state is ConnectionState.NEEDS_REAUTH

    assert refresh(world, At("after refresh", another_tries)) == "access-2"
    assert world.connection.state is ConnectionState.CONNECTED
    assert world.provider.lets_in(refresh(world))


def at_every_step(world: TokenWorld, deed: Callable[[str], object]) -> Iterator[str | Exception]:
    """
    What a refresh comes to when somebody else's `deed` falls on one of its steps, for each step in turn.

    Every round begins with a new login whose access token, which `deed` is told, has just been rejected.
    """
    steps = At("never", crash)
    world.process(steps).token_for(ADA, rejected="access-1")
    for index, step in enumerate(steps.steps):
        world.login()
        world.provider.refreshes = 0
        rejected = world.provider.access_token
        turn = At(step, partial(deed, rejected), nth=steps.steps[: index + 1].count(step))
        try:
            yield world.process(turn).token_for(ADA, rejected=rejected)
        except (NotConnected, TryLater) as error:
            yield error


def test_a_second_refresher_at_any_step(world: TokenWorld) -> None:
    """Wherever it comes, there is one refresh; both have the new token, or one is told to come back."""
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


def test_a_login_at_any_step(world: TokenWorld) -> None:
    """Whoever logs in while a refresh is under way is connected afterwards, with tokens that work."""
    for outcome in at_every_step(world, lambda _: world.login()):
        assert isinstance(outcome, str)
        assert world.provider.lets_in(world.process().token_for(ADA))


def test_disconnecting_at_any_step(world: TokenWorld) -> None:
    """Whoever disconnects while a refresh is under way stays disconnected, and no token is kept."""
    for _ in at_every_step(world, lambda _: world.connections.disconnect(ADA)):
        assert world.connection.state is ConnectionState.DISCONNECTED
        assert world.connection.sealed_tokens is None


def test_erasure_at_any_step(world: TokenWorld) -> None:
    """Whoever is erased while a refresh is under way stays erased."""
    for _ in at_every_step(world, lambda _: world.table.delete(ADA, SK)):
        assert world.table.get(ADA, SK) is None
