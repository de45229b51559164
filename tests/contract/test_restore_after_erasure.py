"""The restore rehearsal: a backup from before an erasure does not bring the erased user back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.accounts.sealing import SealBroken
from bg_ingest.clock import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import LEASE_TTL, Busy, SyncStates, Turn
from bg_ingest.sync.windows import Covered
from tests.contract.account_world import AccountWorld, kinds
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.moto_kms import kms_client, quick_key
from tests.support.template_document import create_table
from tools import restore

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock


@pytest.fixture
def accounts(
    users_table: Table, readings_table: Table, intake_table: Table, clock: FakeClock
) -> AccountWorld:
    """Two connected users with readings, jobs, audit entries, a message in the queue, and a late log."""
    kms = kms_client()
    tokens = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    world = AccountWorld(tokens, readings_table, intake_table, clock)
    for user_id in ("ada", "bob"):
        world.connect(user_id)
        world.backfill(user_id)
        world.receive(user_id)
        users_table.put({"pk": f"late#{user_id}", "sk": "0000000001", "hours": "[]"})
        users_table.put({"pk": f"grant#{user_id}", "sk": "0196f3a12c5d", "label": "watch"})
    return world


def _backup(client: Any, table: str, logical_id: str) -> str:
    """A copy of the table as it is now, as AWS restores it."""
    name = f"{table}-restored"
    create_table(client, logical_id, name)
    for item in client.scan(TableName=table)["Items"]:
        client.put_item(TableName=name, Item=item)
    return name


def _restore(accounts: AccountWorld, readings: str, users: str, *more: str) -> None:
    live, client = accounts.world.table, accounts.world.table.client
    at = accounts.clock.now().isoformat()
    of_readings = [readings, accounts.readings_table.name, "--users", live.name, "--at", at, "--write"]
    assert restore.main([users, live.name, "--write", *more], client) == 0
    assert restore.main([*of_readings, *more], client) == 0


def test_a_restored_backup_brings_no_erased_user_back(accounts: AccountWorld) -> None:
    """Only the receipt is there, and a message from before the erasure does not open."""
    client = accounts.world.table.client
    backups = (
        _backup(client, accounts.readings_table.name, "ReadingsTable"),
        _backup(client, accounts.world.table.name, "UsersTable"),
    )
    before = accounts.stored_about("bob")
    accounts.clock.advance(60)
    accounts.eraser().erase("ada", lambda: 29.0)
    # The incident: the other user's items are lost.
    accounts.eraser().erase("bob", lambda: 29.0)
    for item in accounts.world.table.query("pk = :pk", {":pk": "bob"}):
        accounts.world.table.delete("bob", item["sk"])
    _restore(accounts, *backups)

    assert kinds(accounts.stored_about("ada")) == {"receipt"}
    # The tool takes the time of this machine, so that items with a short life have expired.
    lost = [sk for sk in before if sk not in accounts.stored_about("bob")]
    assert {sk.partition("#")[0] for sk in lost} == {"inbox", "job", "login", "message"}
    (order, _) = accounts.orders
    assert order.payload
    with pytest.raises(SealBroken):
        accounts.message_seals().open("ada", order.payload)


def test_a_user_who_came_back_gets_nothing_of_before(accounts: AccountWorld) -> None:
    """The backup is from before the erasure, and the user has connected again since."""
    client = accounts.world.table.client
    backups = (
        _backup(client, accounts.readings_table.name, "ReadingsTable"),
        _backup(client, accounts.world.table.name, "UsersTable"),
    )
    accounts.clock.advance(60)
    accounts.eraser().erase("ada", lambda: 29.0)
    accounts.clock.advance(600)
    accounts.connect("ada")
    after = accounts.stored_about("ada")
    _restore(accounts, *backups)

    assert accounts.stored_about("ada") == after


def test_a_user_can_be_left_out_by_name(accounts: AccountWorld) -> None:
    """If the receipts are lost: also the partitions of the audit, the grants and the late log."""
    client = accounts.world.table.client
    backups = (
        _backup(client, accounts.readings_table.name, "ReadingsTable"),
        _backup(client, accounts.world.table.name, "UsersTable"),
    )
    accounts.clock.advance(60)
    accounts.eraser().erase("ada", lambda: 29.0)
    for item in accounts.world.table.query("pk = :pk", {":pk": "ada"}):
        accounts.world.table.delete("ada", item["sk"])
    _restore(accounts, *backups, "--leave-out", "ada")

    assert accounts.stored_about("ada") == []


def _order(clock: FakeClock) -> Order:
    return Order("ada", new_id(clock.now()), JobKind.INCREMENTAL, Trigger.SCHEDULE, "id")


def _poll(states: SyncStates, clock: FakeClock) -> Turn:
    lease = states.take(_order(clock))
    assert isinstance(lease, Turn)
    return lease


def test_after_a_restore_the_next_poll_reads_the_hours(accounts: AccountWorld) -> None:
    """What earlier polls have found out is forgotten, and a running one cannot bring it back."""
    live, client = accounts.world.table, accounts.world.table.client
    states = SyncStates(live, accounts.clock)
    known = Covered(accounts.clock.now())
    assert states.end(_poll(states, accounts.clock), succeeded=True, data_until=None, covered=known)
    backups = (
        _backup(client, accounts.readings_table.name, "ReadingsTable"),
        _backup(client, live.name, "UsersTable"),
    )
    running = _poll(states, accounts.clock)
    assert running.state.covered == known
    _restore(accounts, *backups)

    assert not states.end(running, succeeded=True, data_until=None, covered=known)
    # No second sync starts beside the running one, which may be refreshing the tokens.
    assert isinstance(states.take(_order(accounts.clock)), Busy)
    accounts.clock.advance(LEASE_TTL.total_seconds())
    assert _poll(states, accounts.clock).state.covered is None


def test_a_restored_sync_item_knows_no_stored_readings(accounts: AccountWorld) -> None:
    """The readings may have been lost together with it."""
    live, client = accounts.world.table, accounts.world.table.client
    states = SyncStates(live, accounts.clock)
    known = Covered(accounts.clock.now())
    assert states.end(_poll(states, accounts.clock), succeeded=True, data_until=None, covered=known)
    backup = _backup(client, live.name, "UsersTable")
    live.delete("ada", "sync")
    assert restore.main([backup, live.name, "--write"], client) == 0

    state = states.get("ada")
    assert state
    assert state.covered is None
    assert state.slot
