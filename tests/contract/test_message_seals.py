"""Records in queue messages: sealed with a key of their own, which an erasure removes."""

import base64

import pytest

from bg_ingest.accounts.sealing import SealBroken
from bg_ingest.dynamo import Table
from tests.contract.account_world import AccountWorld
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.fakes import FakeClock
from tests.support.moto_kms import kms_client, quick_key

RECORDS = b'{"value": 222}'


@pytest.fixture
def accounts(
    users_table: Table, readings_table: Table, intake_table: Table, clock: FakeClock
) -> AccountWorld:
    """Empty tables, and a KMS."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    return AccountWorld(world, readings_table, intake_table, clock)


def test_another_process_opens_what_one_has_sealed(accounts: AccountWorld) -> None:
    """The text is ASCII and shows nothing of the records."""
    sealed = accounts.message_seals().seal("ada", RECORDS)

    assert sealed.isascii()
    assert RECORDS not in base64.b64decode(sealed.partition(".")[2])
    assert accounts.message_seals().open("ada", sealed) == RECORDS


def test_two_messages_have_different_keys(accounts: AccountWorld) -> None:
    """Without the key of one message, the other still opens."""
    seals = accounts.message_seals()
    one, other = seals.seal("ada", RECORDS), seals.seal("ada", RECORDS)
    accounts.intake_table.delete("ada", "message#" + one.partition(".")[0])

    assert one.partition(".")[2] != other.partition(".")[2]
    assert seals.open("ada", other) == RECORDS
    with pytest.raises(SealBroken):
        seals.open("ada", one)


def test_a_message_opens_for_its_own_user_and_key_only(accounts: AccountWorld) -> None:
    """Also if an attacker copies the item with the key to another user or id."""
    seals = accounts.message_seals()
    sealed = seals.seal("ada", RECORDS)
    key_id, _, text = sealed.partition(".")
    item = accounts.intake_table.get("ada", f"message#{key_id}")
    assert item
    accounts.intake_table.put(item | {"pk": "bob"})
    accounts.intake_table.put(item | {"sk": "message#0"})

    for user_id, copied in (("bob", sealed), ("ada", f"0.{text}")):
        with pytest.raises(SealBroken):
            seals.open(user_id, copied)


@pytest.mark.parametrize("damaged", ["", ".", "no-key.AAAA", "{id}", "{id}.", "{id}.not base64", "{id}.AAAA"])
def test_a_damaged_message_does_not_open(accounts: AccountWorld, damaged: str) -> None:
    """Each kind of damage is the same error, which no retry changes."""
    seals = accounts.message_seals()
    key_id = seals.seal("ada", RECORDS).partition(".")[0]

    with pytest.raises(SealBroken):
        seals.open("ada", damaged.replace("{id}", key_id))


def test_no_message_of_an_erased_user_can_be_opened(accounts: AccountWorld) -> None:
    """It may lie in a queue for weeks; the key of its records is gone, and no key of KMS replaces it."""
    accounts.connect("ada")
    accounts.receive("ada")
    (order,) = accounts.orders
    assert order.payload
    assert accounts.message_seals().open("ada", order.payload)
    accounts.eraser().erase("ada", lambda: 29.0)

    with pytest.raises(SealBroken):
        accounts.message_seals().open("ada", order.payload)


def test_a_key_of_a_message_is_kept_for_a_month(accounts: AccountWorld) -> None:
    """Longer than the queue and its dead letters keep a message: 18 days."""
    sealed = accounts.message_seals().seal("ada", RECORDS)
    item = accounts.intake_table.get("ada", "message#" + sealed.partition(".")[0])

    assert item
    assert item["expires_at"] - accounts.clock.now().timestamp() == 30 * 86_400
