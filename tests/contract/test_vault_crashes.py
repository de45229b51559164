"""A refresh that crashes, or whose requests fail, at each of its steps."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import BotoCoreError, ReadTimeoutError

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.accounts.vault import NotConnected, VaultLimits
from tests.contract.stepped import At, Crash, crash
from tests.contract.token_world import ADA, LIFETIME, TokenProvider, TokenWorld
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

pytestmark = pytest.mark.exhaustive

LIMITS = VaultLimits()

# The steps of one refresh, each with whether the connection survives a crash there.
TIMELINE = [
    ("before get_item", True),
    ("after get_item", True),
    ("before decrypt", True),  # The stored tokens were sealed by another process.
    ("after decrypt", True),
    ("before generate_data_key", True),
    ("after generate_data_key", True),
    ("before refresh", True),
    ("after refresh", False),  # The window: the refresh token is used, and the new one is not stored.
    ("before update_item", False),  # Still the window, which is one write long.
    ("after update_item", True),
]


@pytest.fixture
def world(users_table: Table, clock: FakeClock) -> TokenWorld:
    """A user who has logged in and whose access token has expired."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    world.login()
    clock.advance(LIFETIME.total_seconds())
    return world


def step_at(index: int) -> tuple[str, int]:
    """A step of the timeline, and its number among the steps of the same name."""
    steps = [step for step, _ in TIMELINE[: index + 1]]
    return steps[-1], steps.count(steps[-1])


def test_the_timeline_equals_the_steps_of_a_refresh(world: TokenWorld) -> None:
    """The timeline has all steps, and none is between the provider's answer and the write."""
    seen = At("never", crash)

    world.process(seen).token_for(ADA)

    assert seen.steps == [step for step, _ in TIMELINE]


@pytest.mark.parametrize("index", range(len(TIMELINE)))
def test_a_crash_at_a_step_leaves_a_usable_connection(world: TokenWorld, index: int) -> None:
    """
    The next process, which has the sync lease after the crashed one, gets a valid token.

    The exception is the documented window, after which the connection needs a login.
    """
    step, nth = step_at(index)
    with pytest.raises(Crash):
        world.process(At(step, crash, nth)).token_for(ADA)

    survives = TIMELINE[index][1]
    if survives:
        assert world.provider.lets_in(world.process().token_for(ADA))
    else:
        with pytest.raises(NotConnected):
            world.process().token_for(ADA)
        assert world.connection.state is ConnectionState.NEEDS_REAUTH


@pytest.mark.parametrize("index", [i for i, (step, _) in enumerate(TIMELINE) if "refresh" not in step])
def test_a_failed_request_leaves_a_usable_connection(world: TokenWorld, index: int) -> None:
    """
    If AWS refuses one request or its answer is lost, then one refresh is made and its tokens are used.

    The write after the provider's answer is repeated, and succeeds if the first write was made.
    """
    step, nth = step_at(index)

    def fail() -> None:
        raise ReadTimeoutError(endpoint_url="aws")

    with suppress(BotoCoreError):
        world.process(At(step, fail, nth)).token_for(ADA)

    assert world.provider.lets_in(world.process().token_for(ADA))
    assert world.provider.refreshes == 1


def test_saving_refreshed_tokens_is_retried(world: TokenWorld, clock: FakeClock) -> None:
    """A refresh cannot be repeated, so the write of its tokens is repeated several times."""
    writes = At("never", crash)

    def outage(step: str) -> None:
        writes(step)
        if step == "before update_item" and writes.steps.count(step) in {1, 2}:
            raise ReadTimeoutError(endpoint_url="dynamodb")

    assert world.provider.lets_in(world.process(outage).token_for(ADA))
    assert clock.naps == list(LIMITS.save_pauses_s)
    assert world.provider.lets_in(world.process().token_for(ADA))
