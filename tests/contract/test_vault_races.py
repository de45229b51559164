"""
Races of a refresh with logins, disconnections and erasures, one interleaving at a time.

No other refresh races with it: test_refresh_under_lease.py shows that.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts.connection import SK, ConnectionState
from bg_ingest.accounts.vault import NotConnected
from tests.contract.stepped import At, crash
from tests.contract.token_world import ADA, TokenProvider, TokenWorld
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

pytestmark = pytest.mark.exhaustive


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


def test_invalid_grant_is_ignored_if_new_tokens_are_stored(world: TokenWorld) -> None:
    """If a login replaced the tokens during the refresh, then the new tokens are used."""
    assert refresh(world, At("before refresh", world.login)) == "access-2"
    assert world.connection.state is ConnectionState.CONNECTED


def test_a_late_refresh_restores_the_connection(world: TokenWorld) -> None:
    """
    A process freezes after the answer until its sync lease has ended.

    Another one then gets invalid_grant for the used token.

    The frozen process has the only valid tokens. It stores them when it continues.
    """

    def another_tries() -> None:
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
        except NotConnected as error:
            yield error


def test_a_login_at_any_step_of_a_refresh_wins(world: TokenWorld) -> None:
    """After a login during a refresh the user is connected, and the refreshed tokens are not used."""
    used: list[bool] = []
    for outcome in at_every_step(world, lambda _: world.login()):
        assert isinstance(outcome, str)
        used.append(world.provider.lets_in(outcome))
        assert world.provider.lets_in(world.process().token_for(ADA))
        assert world.provider.refreshes <= 1
    assert used == [True] * (len(used) - 1) + [False]  # The last step is after the refresh.


def test_a_disconnect_at_any_step_of_a_refresh_wins(world: TokenWorld) -> None:
    """After a disconnect during a refresh the user is disconnected, and no token is stored or used."""
    outcomes = []
    for outcome in at_every_step(world, lambda _: world.connections.disconnect(ADA)):
        outcomes.append(type(outcome))
        assert world.connection.state is ConnectionState.DISCONNECTED
        assert world.connection.sealed_tokens is None
    assert outcomes == [NotConnected] * (len(outcomes) - 1) + [str]  # The last step is after the refresh.


def test_an_erasure_at_any_step_of_a_refresh_wins(world: TokenWorld) -> None:
    """After an erasure during a refresh the connection does not exist, and no token is used."""
    outcomes = []
    for outcome in at_every_step(world, lambda _: world.table.delete(ADA, SK)):
        outcomes.append(type(outcome))
        assert world.table.get(ADA, SK) is None
    assert outcomes == [NotConnected] * (len(outcomes) - 1) + [str]  # As above.
