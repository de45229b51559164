from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.accounts.data_keys import DataKeys, SealBroken
from bg_ingest.accounts.sealing import Sealer
from tests.contract.stepped import At, stepped
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

SECRET = b"access and refresh"


def sealer_of(kms: KMSClient, key_id: str, environment: str = "test") -> Sealer:
    """A process that has just started."""
    return Sealer(DataKeys(kms, key_id, environment, FakeClock()))


def test_what_was_sealed_opens_in_another_process(kms: KMSClient, key_id: str) -> None:
    """A seal carries all that is needed to open it, beside the right to use the key."""
    stored = sealer_of(kms, key_id).seal("ada", SECRET)

    assert sealer_of(kms, key_id).open("ada", stored) == SECRET


def test_the_stored_form_does_not_show_the_secret(kms: KMSClient, key_id: str) -> None:
    """Not even in part, and not twice the same."""
    sealer = sealer_of(kms, key_id)

    one, two = sealer.seal("ada", SECRET), sealer.seal("ada", SECRET)

    assert b"access" not in one
    assert one != two


def test_a_seal_opens_for_its_person_only(kms: KMSClient, key_id: str) -> None:
    """Copied into another person's item it is worthless, though both share a data key."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET)

    with pytest.raises(SealBroken):
        sealer.open("adam", stored)


def test_a_seal_opens_in_its_environment_only(kms: KMSClient, key_id: str) -> None:
    """Staging's data is worthless in production, even under the same key."""
    stored = sealer_of(kms, key_id, "staging").seal("ada", SECRET)

    with pytest.raises(SealBroken):
        sealer_of(kms, key_id, "production").open("ada", stored)


class Outage:
    """KMS cannot be reached while this is on."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self, step: str) -> None:
        """Refuse the connection."""
        if self.on and step.startswith("before"):
            raise EndpointConnectionError(endpoint_url="kms")


def test_kms_in_trouble_is_not_a_broken_seal(kms: KMSClient, key_id: str) -> None:
    """What may work later is not reported as lost for ever."""
    stored = sealer_of(kms, key_id).seal("ada", SECRET)
    outage = Outage()
    outage.on = True

    with pytest.raises(EndpointConnectionError):
        sealer_of(stepped(kms, outage), key_id).open("ada", stored)


def test_every_byte_of_a_seal_matters(kms: KMSClient, key_id: str) -> None:
    """Version, length, wrapped key, nonce, ciphertext: a flipped bit anywhere is refused."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET)

    # Moto keeps the key's name in the wrapped key, in the clear; damaged, it answers "no such key".
    keys_name = range(3, 3 + len(key_id))
    for index in set(range(len(stored))) - set(keys_name):
        damaged = bytearray(stored)
        damaged[index] ^= 1
        with pytest.raises(SealBroken):
            sealer.open("ada", bytes(damaged))


def test_every_cut_of_a_seal_is_refused(kms: KMSClient, key_id: str) -> None:
    """A truncated seal is a broken seal, not a crash."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET)

    for length in range(len(stored)):
        with pytest.raises(SealBroken):
            sealer.open("ada", stored[:length])


def test_a_seal_that_is_ready_needs_no_kms(kms: KMSClient, key_id: str) -> None:
    """Who is about to receive something irreplaceable has talked to KMS before, not after."""
    outage = Outage()
    seal = sealer_of(stepped(kms, outage), key_id).ready()

    outage.on = True

    assert sealer_of(kms, key_id).open("ada", seal("ada", SECRET)) == SECRET


def test_any_secret_of_any_person_comes_back(kms: KMSClient, key_id: str) -> None:
    """Tokens are opaque and of any length; ids are whatever the identity provider says."""
    sealer = sealer_of(kms, key_id)

    @given(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=5_000))
    def comes_back(user_id: str, secret: bytes) -> None:
        assert sealer.open(user_id, sealer.seal(user_id, secret)) == secret

    comes_back()


def test_polling_costs_no_kms_call(kms: KMSClient, key_id: str) -> None:
    """One call makes a data key that seals and opens for everybody."""
    calls = At("never", lambda: None)
    sealer = sealer_of(stepped(kms, calls), key_id)

    for person in ("ada", "bob", "eve"):
        sealer.open(person, sealer.seal(person, SECRET))

    assert calls.steps == ["before generate_data_key", "after generate_data_key"]
