from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts.connection import AccountSeen, Connection, Connections, ConnectionState
from bg_ingest.providers.seam import Endpoint
from tests.support.fakes import NOON
from tests.support.logins import save_login

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

ADA = "ada"
EU = Endpoint("dexcom", "eu")
CONSENT = NOON - timedelta(days=90)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def connections(users_table: Table, clock: FakeClock) -> Connections:
    """The connections of an empty users table."""
    return Connections(users_table, clock)


def connect(connections: Connections, sealed: bytes = b"tokens 1") -> Connection:
    """Log the user in."""
    return save_login(connections, ADA, EU, sealed, data_from=CONSENT)


def now(connections: Connections) -> Connection:
    """The user's connection, which must exist."""
    connection = connections.get(ADA)
    assert connection is not None
    return connection


def test_a_user_without_a_login_has_no_connection(connections: Connections) -> None:
    """Before the first login there is no connection."""
    assert connections.get(ADA) is None


def test_a_connection_is_read_back_unchanged(connections: Connections) -> None:
    """The region, the state, the consent's start and the tokens are read back."""
    made = connect(connections)

    assert now(connections) == made
    assert (made.endpoint, made.state, made.data_from) == (EU, ConnectionState.CONNECTED, CONSENT)
    assert (made.connected_at, made.sealed_tokens) == (NOON, b"tokens 1")


def test_the_repr_of_a_connection_contains_no_secret(connections: Connections) -> None:
    """A connection that is logged shows neither the user, the account nor the tokens."""
    connect(connections)
    connections.note_account(now(connections), "hash-of-account")

    shown = repr(now(connections))

    assert not [secret for secret in (ADA, "hash-of-account", "tokens 1") if secret in shown]


def test_reconnecting_makes_a_new_generation(connections: Connections) -> None:
    """A second login replaces the tokens, and late writes about the first are refused."""
    first = connect(connections)
    second = connect(connections, b"tokens 2")

    assert second.generation > first.generation
    assert not connections.mark_needs_reauth(ADA, first.generation)
    assert not connections.save_refreshed(ADA, first.generation, b"refreshed 1")
    assert now(connections) == second


def test_reconnecting_in_another_region_moves_the_connection(connections: Connections) -> None:
    """The region and the consent's start are those of the last login."""
    connect(connections)
    us = Endpoint("dexcom", "us")

    assert save_login(connections, ADA, us, b"tokens 2", data_from=NOON).endpoint == us
    assert now(connections).data_from == NOON


def test_a_write_from_before_an_erasure_is_refused(
    connections: Connections, users_table: Table, clock: FakeClock
) -> None:
    """A refresh that began before the erasure cannot put old tokens into the new connection."""
    first = connect(connections)
    users_table.delete(ADA, "connection")
    clock.advance(1)
    second = connect(connections, b"tokens 2")

    assert not connections.save_refreshed(ADA, first.generation, b"refreshed 1")
    assert now(connections) == second


def test_a_late_write_does_not_restore_an_erased_connection(
    connections: Connections, users_table: Table
) -> None:
    """No write of a process that was running during the erasure creates the connection again."""
    erased = connect(connections)
    users_table.delete(ADA, "connection")

    assert not connections.save_refreshed(ADA, erased.generation, b"refreshed")
    assert not connections.mark_needs_reauth(ADA, erased.generation)
    assert not connections.disconnect(ADA)
    assert connections.note_account(erased, "account") is AccountSeen.GONE
    assert connections.get(ADA) is None


def test_needs_reauth_is_recorded_once(connections: Connections) -> None:
    """The first refusal changes the state, and a second one does not."""
    connection = connect(connections)

    assert connections.mark_needs_reauth(ADA, connection.generation)
    assert not connections.mark_needs_reauth(ADA, connection.generation)
    assert now(connections).state is ConnectionState.NEEDS_REAUTH


def test_fresh_tokens_restore_a_connection_that_needs_reauth(connections: Connections) -> None:
    """The successor of the stored refresh token is the only valid one, so it is accepted late, too."""
    connection = connect(connections)
    connections.mark_needs_reauth(ADA, connection.generation)

    assert connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert now(connections).state is ConnectionState.CONNECTED


def test_saving_refreshed_tokens_twice_counts_once(connections: Connections) -> None:
    """A write that is repeated because its answer was lost succeeds and increases the generation once."""
    connection = connect(connections)

    assert connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert now(connections).generation == connection.generation + 1


def test_disconnecting_removes_the_tokens(connections: Connections) -> None:
    """A disconnected connection contains no tokens."""
    connect(connections)

    assert connections.disconnect(ADA)
    assert now(connections).state is ConnectionState.DISCONNECTED
    assert now(connections).sealed_tokens is None


def test_a_late_refresh_does_not_undo_a_disconnect(connections: Connections) -> None:
    """Tokens that arrive after the disconnect are not stored."""
    connection = connect(connections)
    connections.disconnect(ADA)

    assert not connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert not connections.mark_needs_reauth(ADA, connection.generation)
    assert now(connections).state is ConnectionState.DISCONNECTED
    assert now(connections).sealed_tokens is None


def test_the_first_account_is_recorded(connections: Connections) -> None:
    """The first answer decides the account, and is distinguished from later ones."""
    connection = connect(connections)

    assert connections.note_account(connection, "account A") is AccountSeen.FIRST
    assert connections.note_account(connection, "account A") is AccountSeen.SAME
    assert connections.note_account(now(connections), "account A") is AccountSeen.SAME


def test_another_account_after_reconnecting_is_reported(connections: Connections) -> None:
    """A login with another account is reported each time, so that readings of two people are not mixed."""
    connections.note_account(connect(connections), "account A")
    connections.disconnect(ADA)
    reconnected = connect(connections)

    assert connections.note_account(reconnected, "account B") is AccountSeen.OTHER
    assert connections.note_account(now(connections), "account B") is AccountSeen.OTHER
    assert now(connections).account == "account A"


def test_a_second_first_account_is_reported_as_other(connections: Connections) -> None:
    """If two first answers name two accounts, then the second one is the other account."""
    connection = connect(connections)
    connections.note_account(connection, "account A")

    assert connections.note_account(connection, "account B") is AccountSeen.OTHER


def test_an_answer_to_an_old_login_records_no_account(connections: Connections, clock: FakeClock) -> None:
    """A late answer from before the reconnect does not decide the account."""
    old = connect(connections)
    clock.advance(60)
    connect(connections)

    assert connections.note_account(old, "account A") is AccountSeen.GONE
    assert now(connections).account is None
