from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError

from bg_ingest.accounts.connection import SK, ConnectionState
from bg_ingest.accounts.sealing import SealBroken
from bg_ingest.accounts.vault import NotConnected, VaultLimits
from bg_ingest.providers.errors import TryLater, Unavailable
from bg_ingest.providers.seam import Endpoint
from tests.contract.token_world import ADA, EU, LIFETIME, TokenProvider, TokenWorld
from tests.support.fakes import NOON
from tests.support.logins import store_tokens
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

MARGIN = VaultLimits().margin


@pytest.fixture
def world(users_table: Table, clock: FakeClock) -> TokenWorld:
    """A user who has logged in."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    world.login()
    return world


def test_a_valid_token_is_returned_without_a_refresh(world: TokenWorld) -> None:
    """A token that has not expired costs no call to the provider."""
    assert world.process().token_for(ADA) == "access-1"
    assert world.provider.refreshes == 0


def test_a_slow_login_has_the_generation_of_its_seal(users_table: Table, clock: FakeClock) -> None:
    """Seconds between the seal and the write change neither: the stored tokens can be opened."""
    kms = kms_client()
    slow = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    tokens = slow.provider.login()
    vault = slow.process(lambda _: clock.advance(3))
    store_tokens(vault, "ada", EU, tokens, data_from=NOON)
    change = vault.new_login(
        "bob", EU, tokens, data_from=NOON, login_started_at=NOON, replaced=None, source="", relays=False
    )
    assert users_table.transact([change])

    for user_id in ("ada", "bob"):
        assert slow.process().token_for(user_id) == tokens.access_token


def test_a_token_is_refreshed_shortly_before_it_expires(world: TokenWorld, clock: FakeClock) -> None:
    """The refresh happens once for all callers, exactly five minutes before the expiry."""
    clock.advance((LIFETIME - MARGIN - timedelta(seconds=1)).total_seconds())
    assert world.process().token_for(ADA) == "access-1"

    clock.advance(1)
    assert [world.process().token_for(ADA) for _ in range(3)] == ["access-2"] * 3
    assert world.provider.refreshes == 1


def test_refreshed_tokens_can_be_refreshed(world: TokenWorld, clock: FakeClock) -> None:
    """The rotated refresh token is stored, so that a connection lasts for a day of refreshes."""
    vault = world.process()
    for _ in range(12):
        clock.advance(LIFETIME.total_seconds())
        token = vault.token_for(ADA)

    assert world.provider.lets_in(token)
    assert world.provider.refreshes == 12


def test_a_rejected_token_is_refreshed(world: TokenWorld) -> None:
    """A token that the provider rejected with 401 is replaced once."""
    assert world.process().token_for(ADA, rejected="access-1") == "access-2"
    assert world.process().token_for(ADA, rejected="access-1") == "access-2"
    assert world.provider.refreshes == 1


def test_a_refresh_uses_the_region_of_the_connection(world: TokenWorld) -> None:
    """Tokens of Japan are refreshed in Japan."""
    japan = Endpoint("dexcom", "jp")
    vault = world.process()
    store_tokens(vault, ADA, japan, world.provider.login(), data_from=world.clock.now())

    vault.token_for(ADA, rejected="access-2")

    assert world.provider.requested_at == ["jp"]


def test_a_user_without_a_connection_has_no_token(world: TokenWorld) -> None:
    """A user who never connected gets NotConnected, which is not retried."""
    with pytest.raises(NotConnected) as refusal:
        world.process().token_for("bob")

    assert refusal.value.state is None


def test_a_disconnected_user_has_no_token(world: TokenWorld) -> None:
    """The user gets NotConnected without a call to the provider."""
    world.connections.disconnect(ADA)

    with pytest.raises(NotConnected) as refusal:
        world.process().token_for(ADA)

    assert refusal.value.state is ConnectionState.DISCONNECTED


def test_invalid_grant_ends_the_connection(world: TokenWorld) -> None:
    """The user has to log in again, and until then the provider is not called."""
    world.provider.revoke()

    for _ in range(3):
        with pytest.raises(NotConnected) as refusal:
            world.process().token_for(ADA, rejected="access-1")
        assert refusal.value.state is ConnectionState.NEEDS_REAUTH

    assert world.provider.refreshes == 1


def test_a_new_login_restores_the_connection(world: TokenWorld) -> None:
    """After invalid_grant a new login is sufficient."""
    world.provider.revoke()
    with pytest.raises(NotConnected):
        world.process().token_for(ADA, rejected="access-1")

    world.login()

    assert world.provider.lets_in(world.process().token_for(ADA))


@pytest.mark.parametrize("trouble", [TryLater("maintenance"), ValueError("nonsense")])
def test_other_failures_leave_the_connection_unchanged(world: TokenWorld, trouble: Exception) -> None:
    """Maintenance or an unreadable answer does not make a new login necessary."""
    world.provider.trouble = trouble
    for _ in range(3):
        with pytest.raises(type(trouble)):
            world.process().token_for(ADA, rejected="access-1")

    world.provider.trouble = None
    assert world.process().token_for(ADA, rejected="access-1") == "access-2"


def test_tokens_are_not_readable_in_the_table(world: TokenWorld) -> None:
    """The item contains no token in plain text."""
    item = world.table.get(ADA, SK)

    assert "access-1" not in repr(item)
    assert "refresh-1" not in repr(item)


def test_tokens_cannot_be_opened_for_another_user(world: TokenWorld) -> None:
    """A copy of the item under another user id raises SealBroken."""
    item = world.table.get(ADA, SK)
    assert item
    world.table.put(item | {"pk": "bob"})

    with pytest.raises(SealBroken):
        world.process().token_for("bob")


def test_a_connection_stores_its_endpoint(world: TokenWorld) -> None:
    """The region of the tokens is stored with the connection."""
    assert world.connection.endpoint == EU


def everything_said(error: BaseException | None) -> str:
    """The text of an exception and of all its causes, as a log might show them."""
    return repr((error, vars(error))) + everything_said(error.__context__) if error else ""


def fail(error: Exception) -> Callable[[str], None]:
    """Make every write to AWS fail."""

    def refuse(step: str) -> None:
        if step == "before update_item":
            raise error

    return refuse


@pytest.mark.parametrize("case", ["stranger", "revoked", "trouble", "no writes", "damaged"])
def test_no_failure_contains_a_secret(world: TokenWorld, case: str) -> None:
    """No failure contains a token or a user id."""
    turn: Callable[[str], None] = lambda _: None  # noqa: E731 - the one that does nothing.
    match case:
        case "stranger":
            world.table.delete(ADA, SK)
        case "revoked":
            world.provider.revoke()
        case "trouble":
            world.provider.trouble = Unavailable("refresh: 503")
        case "no writes":
            turn = fail(EndpointConnectionError(endpoint_url="dynamodb"))
        case "damaged":
            world.table.put((world.table.get(ADA, SK) or {}) | {"sealed_tokens": b"\x01 damaged"})

    with pytest.raises(Exception) as failure:  # noqa: PT011 - any failure.
        world.process(turn).token_for(ADA, rejected="access-1")

    said = everything_said(failure.value)
    assert not [secret for secret in ("access-", "refresh-", ADA) if secret in said]
