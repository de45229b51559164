"""A refresh that dies, or whose requests fail, at each of its steps."""

from __future__ import annotations

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
    ("before update_item", True),  # Claim the lease.
    ("after update_item", True),
    ("before refresh", True),
    ("after refresh", False),  # The window: spent at the provider, not yet stored here.
    ("before update_item", False),  # Still the window: one write wide.
    ("after update_item", True),
]


@pytest.fixture
def world(users_table: Table, clock: FakeClock) -> TokenWorld:
    """Ada has logged in, and her access token has expired."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    world.login()
    clock.advance(LIFETIME.total_seconds())
    return world


def step_at(index: int) -> tuple[str, int]:
    """A step of the timeline, and its how manieth it is."""
    steps = [step for step, _ in TIMELINE[: index + 1]]
    return steps[-1], steps.count(steps[-1])


def test_the_timeline_is_what_happens(world: TokenWorld) -> None:
    """No step is missing above, and nothing lies between the provider's answer and our write."""
    seen = At("never", crash)

    world.process(seen).token_for(ADA)

    assert seen.steps == [step for step, _ in TIMELINE]


@pytest.mark.parametrize("index", range(len(TIMELINE)))
def test_a_crash_at_any_step_but_one(world: TokenWorld, clock: FakeClock, index: int) -> None:
    """
    Once the dead process's lease has run out the next one gets a living token.

    The exception is the documented window, and there the connection says that it needs a login.
    """
    step, nth = step_at(index)
    with pytest.raises(Crash):
        world.process(At(step, crash, nth)).token_for(ADA)
    clock.advance(LIMITS.lease.total_seconds())

    survives = TIMELINE[index][1]
    if survives:
        assert world.provider.lets_in(world.process().token_for(ADA))
    else:
        with pytest.raises(NotConnected):
            world.process().token_for(ADA)
        assert world.connection.state is ConnectionState.NEEDS_REAUTH


@pytest.mark.parametrize("index", [i for i, (step, _) in enumerate(TIMELINE) if "refresh" not in step])
def test_a_failed_request_at_any_step(world: TokenWorld, clock: FakeClock, index: int) -> None:
    """
    AWS refuses one request, or its answer is lost: the connection survives, and so does the lease's promise.

    That includes the write after the provider's answer: it is repeated, and a repeated write that
    finds its own work done is satisfied.
    """
    step, nth = step_at(index)

    def fail() -> None:
        raise ReadTimeoutError(endpoint_url="aws")

    try:
        world.process(At(step, fail, nth)).token_for(ADA)
    except BotoCoreError:
        clock.advance(LIMITS.lease.total_seconds())

    assert world.provider.lets_in(world.process().token_for(ADA))
    assert world.provider.refreshes == 1


def test_kms_being_away_takes_no_lease(world: TokenWorld) -> None:
    """The next one need not wait for a lease to run out."""

    def fail() -> None:
        raise ReadTimeoutError(endpoint_url="kms")

    with pytest.raises(BotoCoreError):
        world.process(At("before generate_data_key", fail)).token_for(ADA)

    assert world.connection.refresh_until is None


def test_an_outage_after_the_providers_answer_is_outwaited(world: TokenWorld, clock: FakeClock) -> None:
    """What cannot be asked for again is written as often as it takes, within reason."""
    writes = At("never", crash)

    def outage(step: str) -> None:
        writes(step)
        if step == "before update_item" and writes.steps.count(step) in {2, 3}:
            raise ReadTimeoutError(endpoint_url="dynamodb")

    assert world.provider.lets_in(world.process(outage).token_for(ADA))
    assert clock.naps == list(LIMITS.save_pauses_s)
    assert world.provider.lets_in(world.process().token_for(ADA))
