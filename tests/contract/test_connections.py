from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts import refresh_lease
from bg_ingest.accounts.connection import AccountSeen, Connection, Connections, ConnectionState
from bg_ingest.providers.seam import Endpoint
from tests.support.fakes import NOON

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

ADA = "ada"
EU = Endpoint("dexcom", "eu", "https://api.dexcom.eu")
CONSENT = NOON - timedelta(days=90)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def connections(users_table: Table, clock: FakeClock) -> Connections:
    """The connections of an empty users table."""
    return Connections(users_table, clock)


def connect(connections: Connections, sealed: bytes = b"tokens 1") -> Connection:
    """Ada logs in."""
    return connections.save_new(ADA, EU, sealed, data_from=CONSENT)


def now(connections: Connections) -> Connection:
    """Ada's connection, which must exist."""
    connection = connections.get(ADA)
    assert connection is not None
    return connection


def test_a_stranger_has_no_connection(connections: Connections) -> None:
    """Nobody is connected before they log in."""
    assert connections.get(ADA) is None


def test_a_connection_is_read_back_as_it_was_made(connections: Connections) -> None:
    """What was agreed at the login is what is remembered."""
    made = connect(connections)

    assert now(connections) == made
    assert (made.endpoint, made.state, made.data_from) == (EU, ConnectionState.CONNECTED, CONSENT)
    assert (made.connected_at, made.sealed_tokens) == (NOON, b"tokens 1")


def test_a_connection_does_not_print_secrets(connections: Connections) -> None:
    """A log line that shows a connection names neither the person, the account nor the tokens."""
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


def test_reconnecting_elsewhere_moves_the_connection(connections: Connections) -> None:
    """The region belongs to the login."""
    connect(connections)
    us = Endpoint("dexcom", "us", "https://api.dexcom.com")

    assert connections.save_new(ADA, us, b"tokens 2", data_from=NOON).endpoint == us
    assert now(connections).data_from == NOON


def test_an_erased_person_who_returns_meets_no_write_of_their_first_life(
    connections: Connections, users_table: Table, clock: FakeClock
) -> None:
    """A refresh that began before the erasure cannot put old tokens into the new connection."""
    first = connect(connections)
    users_table.delete(ADA, "connection")
    clock.advance(1)
    second = connect(connections, b"tokens 2")

    assert not connections.save_refreshed(ADA, first.generation, b"refreshed 1")
    assert now(connections) == second


def test_an_erased_person_is_not_brought_back_by_a_late_write(
    connections: Connections, users_table: Table
) -> None:
    """Erased means erased, whatever was under way."""
    erased = connect(connections)
    users_table.delete(ADA, "connection")

    assert not connections.save_refreshed(ADA, erased.generation, b"refreshed")
    assert not connections.mark_needs_reauth(ADA, erased.generation)
    assert not connections.disconnect(ADA)
    assert connections.note_account(erased, "account") is AccountSeen.GONE
    refresh_lease.release(users_table, ADA, "holder")
    assert not refresh_lease.claim(users_table, erased, "holder", NOON, MINUTE)
    assert connections.get(ADA) is None


def test_giving_up_is_remembered_once(connections: Connections) -> None:
    """The first refusal changes the state; a second one is no news."""
    connection = connect(connections)

    assert connections.mark_needs_reauth(ADA, connection.generation)
    assert not connections.mark_needs_reauth(ADA, connection.generation)
    assert now(connections).state is ConnectionState.NEEDS_REAUTH


def test_fresh_tokens_bring_a_given_up_connection_back(connections: Connections) -> None:
    """Whoever holds the successor of the stored token holds the only living one, however late."""
    connection = connect(connections)
    connections.mark_needs_reauth(ADA, connection.generation)

    assert connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert now(connections).state is ConnectionState.CONNECTED


def test_storing_refreshed_tokens_twice_is_storing_them_once(connections: Connections) -> None:
    """A write repeated because its answer got lost succeeds again and counts once."""
    connection = connect(connections)

    assert connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert now(connections).generation == connection.generation + 1


def test_disconnecting_forgets_the_tokens(connections: Connections) -> None:
    """Afterwards nothing in the item could be used to ask the provider."""
    connect(connections)

    assert connections.disconnect(ADA)
    assert now(connections).state is ConnectionState.DISCONNECTED
    assert now(connections).sealed_tokens is None


def test_a_refresh_under_way_does_not_undo_a_disconnect(connections: Connections) -> None:
    """Tokens that arrive after the person said stop are not kept."""
    connection = connect(connections)
    connections.disconnect(ADA)

    assert not connections.save_refreshed(ADA, connection.generation, b"refreshed")
    assert not connections.mark_needs_reauth(ADA, connection.generation)
    assert now(connections).state is ConnectionState.DISCONNECTED
    assert now(connections).sealed_tokens is None


def test_the_first_account_is_remembered(connections: Connections) -> None:
    """The first answer tells whose data this is; it is told apart from later ones."""
    connection = connect(connections)

    assert connections.note_account(connection, "account A") is AccountSeen.FIRST
    assert connections.note_account(connection, "account A") is AccountSeen.SAME
    assert connections.note_account(now(connections), "account A") is AccountSeen.SAME


def test_another_account_after_reconnecting_is_noticed(connections: Connections) -> None:
    """Logging in as somebody else does not mix two people's readings; it is reported, each time."""
    connections.note_account(connect(connections), "account A")
    connections.disconnect(ADA)
    reconnected = connect(connections)

    assert connections.note_account(reconnected, "account B") is AccountSeen.OTHER
    assert connections.note_account(now(connections), "account B") is AccountSeen.OTHER
    assert now(connections).account == "account A"


def test_another_account_is_noticed_by_who_read_before_the_first_was_known(connections: Connections) -> None:
    """Two first answers at once, from two accounts: the second is the other one."""
    connection = connect(connections)
    connections.note_account(connection, "account A")

    assert connections.note_account(connection, "account B") is AccountSeen.OTHER


def test_an_answer_to_an_old_login_names_no_account(connections: Connections, clock: FakeClock) -> None:
    """A late answer from before the reconnect must not decide whose connection this is."""
    old = connect(connections)
    clock.advance(60)
    connect(connections)

    assert connections.note_account(old, "account A") is AccountSeen.GONE
    assert now(connections).account is None


def test_one_holder_has_the_refresh_lease(connections: Connections, users_table: Table) -> None:
    """While one refreshes, nobody else may, and everybody can see it."""
    connection = connect(connections)

    assert refresh_lease.claim(users_table, connection, "one", NOON, MINUTE)
    assert not refresh_lease.claim(users_table, connection, "two", NOON + 0.9 * MINUTE, MINUTE)
    assert not refresh_lease.claim(users_table, connection, "one", NOON, MINUTE)
    assert now(connections).refresh_until is not None


def test_the_lease_of_a_dead_holder_is_taken_over(connections: Connections, users_table: Table) -> None:
    """Once it has run out, to the second."""
    connection = connect(connections)
    refresh_lease.claim(users_table, connection, "dead", NOON, MINUTE)

    assert refresh_lease.claim(users_table, connection, "two", NOON + MINUTE, MINUTE)


def test_only_its_holder_gives_the_lease_back(connections: Connections, users_table: Table) -> None:
    """Somebody whose lease was taken over cannot take it from the new holder."""
    connection = connect(connections)
    refresh_lease.claim(users_table, connection, "slow", NOON, MINUTE)
    refresh_lease.claim(users_table, connection, "two", NOON + MINUTE, MINUTE)

    refresh_lease.release(users_table, ADA, "slow")
    assert not refresh_lease.claim(users_table, connection, "three", NOON + MINUTE, MINUTE)

    refresh_lease.release(users_table, ADA, "two")
    assert refresh_lease.claim(users_table, connection, "three", NOON + MINUTE, MINUTE)


@pytest.mark.parametrize("moved", ["refreshed", "reconnected", "given up", "disconnected"])
def test_no_lease_for_tokens_that_moved_on(connections: Connections, users_table: Table, moved: str) -> None:
    """Who read before a change and claims after it would spend a dead refresh token."""
    read_before = connect(connections)
    match moved:
        case "refreshed":
            connections.save_refreshed(ADA, read_before.generation, b"refreshed")
        case "reconnected":
            connect(connections)
        case "given up":
            connections.mark_needs_reauth(ADA, read_before.generation)
        case "disconnected":
            connections.disconnect(ADA)

    assert not refresh_lease.claim(users_table, read_before, "late", NOON, MINUTE)


@pytest.mark.parametrize("end", ["refreshed", "reconnected", "given up", "disconnected"])
def test_the_lease_ends_with_what_it_was_for(connections: Connections, users_table: Table, end: str) -> None:
    """Nobody waits for a refresh that is over."""
    connection = connect(connections)
    refresh_lease.claim(users_table, connection, "one", NOON, MINUTE)
    match end:
        case "refreshed":
            connections.save_refreshed(ADA, connection.generation, b"refreshed")
        case "reconnected":
            connect(connections)
        case "given up":
            connections.mark_needs_reauth(ADA, connection.generation)
        case "disconnected":
            connections.disconnect(ADA)

    assert now(connections).refresh_until is None
