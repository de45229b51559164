from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.accounts.sealing import DataKeys, KeyLimits, Purpose, SealBroken, Sealer
from tests.contract.stepped import At, stepped
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


SECRET = b"access and refresh"


def sealer_of(
    kms: KMSClient, key_id: str, environment: str = "test", purpose: Purpose = Purpose.TOKENS
) -> Sealer:
    """The sealer of a process that has just started."""
    return Sealer(DataKeys(kms, key_id, environment, FakeClock(), purpose=purpose))


def test_a_secret_opens_in_another_process(kms: KMSClient, key_id: str) -> None:
    """A sealed secret needs only the permission to use the KMS key."""
    stored = sealer_of(kms, key_id).seal("ada", SECRET)

    assert sealer_of(kms, key_id).open("ada", stored) == SECRET


def test_a_sealed_secret_shows_nothing_of_the_secret(kms: KMSClient, key_id: str) -> None:
    """The sealed bytes contain no part of the secret, and differ each time."""
    sealer = sealer_of(kms, key_id)

    one, two = sealer.seal("ada", SECRET), sealer.seal("ada", SECRET)

    assert b"access" not in one
    assert one != two


def test_a_sealed_secret_opens_for_its_user_only(kms: KMSClient, key_id: str) -> None:
    """A copy in another user's item raises SealBroken, although both share a data key."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET)

    with pytest.raises(SealBroken):
        sealer.open("adam", stored)


def test_a_sealed_secret_opens_in_its_environment_only(kms: KMSClient, key_id: str) -> None:
    """Staging's data cannot be opened in production, even with the same KMS key."""
    stored = sealer_of(kms, key_id, "staging").seal("ada", SECRET)

    with pytest.raises(SealBroken):
        sealer_of(kms, key_id, "production").open("ada", stored)


@pytest.mark.parametrize("other", [Purpose.QUARANTINE, Purpose.PARKED_TOKENS])
def test_a_seal_of_one_purpose_opens_for_no_other(kms: KMSClient, key_id: str, other: Purpose) -> None:
    """A quarantined record cannot be passed off as tokens, and the reverse."""
    stored = sealer_of(kms, key_id, purpose=other).seal("ada", SECRET)

    with pytest.raises(SealBroken):
        sealer_of(kms, key_id).open("ada", stored)


def test_the_purpose_is_part_of_the_seal_itself(kms: KMSClient, key_id: str) -> None:
    """Even with the data key at hand, a seal of another purpose does not open."""
    tokens, records = sealer_of(kms, key_id), sealer_of(kms, key_id, purpose=Purpose.QUARANTINE)
    stored = records.seal("ada", SECRET)
    tokens.keys._remember(records.keys.for_one_seal())  # noqa: SLF001 - as if KMS had unwrapped it.

    with pytest.raises(SealBroken):
        tokens.open("ada", stored)


@pytest.mark.parametrize(
    "details", [(), ("dexcom", "us", "7"), ("dexcom", "eu", "8"), ("dexcom", "eu"), ("dexcomeu", "7")]
)
def test_a_seal_opens_with_its_own_details_only(
    kms: KMSClient, key_id: str, details: tuple[str, ...]
) -> None:
    """Tokens do not open for another region, another generation, or details that are cut in another way."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET, "dexcom", "eu", "7")

    assert sealer.open("ada", stored, "dexcom", "eu", "7") == SECRET
    with pytest.raises(SealBroken):
        sealer.open("ada", stored, *details)


class KmsOutage:
    """KMS cannot be reached while `on` is true."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self, step: str) -> None:
        """Fail the call."""
        if self.on and step.startswith("before"):
            raise EndpointConnectionError(endpoint_url="kms")


def test_a_kms_failure_is_not_a_broken_seal(kms: KMSClient, key_id: str) -> None:
    """An error that may disappear is not reported as a permanent loss."""
    stored = sealer_of(kms, key_id).seal("ada", SECRET)
    outage = KmsOutage()
    outage.on = True

    with pytest.raises(EndpointConnectionError):
        sealer_of(stepped(kms, outage), key_id).open("ada", stored)


def test_a_changed_byte_of_a_sealed_secret_is_refused(kms: KMSClient, key_id: str) -> None:
    """A flipped bit in the version, length, wrapped key, nonce or ciphertext raises SealBroken."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET)

    # Moto stores the key's id in the wrapped key as plain text; if it is damaged, moto finds no key.
    keys_name = range(3, 3 + len(key_id))
    for index in set(range(len(stored))) - set(keys_name):
        damaged = bytearray(stored)
        damaged[index] ^= 1
        with pytest.raises(SealBroken):
            sealer.open("ada", bytes(damaged))


def test_a_truncated_sealed_secret_is_refused(kms: KMSClient, key_id: str) -> None:
    """Each truncated length raises SealBroken and no other exception."""
    sealer = sealer_of(kms, key_id)
    stored = sealer.seal("ada", SECRET)

    for length in range(len(stored)):
        with pytest.raises(SealBroken):
            sealer.open("ada", stored[:length])


def test_a_prepared_seal_needs_no_kms(kms: KMSClient, key_id: str) -> None:
    """A process calls KMS before it receives tokens that it cannot receive again."""
    outage = KmsOutage()
    seal = sealer_of(stepped(kms, outage), key_id).ready()

    outage.on = True

    assert sealer_of(kms, key_id).open("ada", seal("ada", SECRET)) == SECRET


def test_any_secret_of_any_user_opens(kms: KMSClient, key_id: str) -> None:
    """Tokens have any bytes and length, and user ids have any characters."""
    sealer = sealer_of(kms, key_id)

    @given(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=5_000))
    def comes_back(user_id: str, secret: bytes) -> None:
        assert sealer.open(user_id, sealer.seal(user_id, secret)) == secret

    comes_back()


def test_one_data_key_serves_many_users(kms: KMSClient, key_id: str) -> None:
    """One call to KMS creates a data key that seals and opens for all users."""
    calls = At("never", lambda: None)
    sealer = sealer_of(stepped(kms, calls), key_id)

    for person in ("ada", "bob", "eve"):
        sealer.open(person, sealer.seal(person, SECRET))

    assert calls.steps == ["before generate_data_key", "after generate_data_key"]


LIMITS = KeyLimits(
    seals_max=3, seal_age_max=timedelta(minutes=5), opened_keys_max=2, open_age_max=timedelta(hours=1)
)


class CountedKeys(DataKeys):
    """Data keys that count the calls to KMS."""

    def __init__(self, kms: KMSClient, key_id: str, clock: FakeClock) -> None:
        self._seen = At("never", lambda: None)
        kms = stepped(kms, self._seen)
        super().__init__(kms, key_id, "test", clock, purpose=Purpose.TOKENS, limits=LIMITS)

    def calls(self, operation: str) -> int:
        """The number of calls of this operation."""
        return self._seen.steps.count(f"before {operation}")


@pytest.fixture
def keys(kms: KMSClient, key_id: str, clock: FakeClock) -> CountedKeys:
    """The keys of a process that has just started."""
    return CountedKeys(kms, key_id, clock)


def test_a_data_key_seals_a_limited_number_of_times(keys: CountedKeys) -> None:
    """After three seals a new data key is used, which limits the damage of a stolen key."""
    handed_out = [keys.for_one_seal().wrapped for _ in range(7)]

    assert [handed_out.count(wrapped) for wrapped in dict.fromkeys(handed_out)] == [3, 3, 1]


def test_a_data_key_seals_for_five_minutes(keys: CountedKeys, clock: FakeClock) -> None:
    """A key that is disabled in KMS seals nothing after that."""
    first = keys.for_one_seal()
    clock.advance(299)
    assert keys.for_one_seal().wrapped == first.wrapped

    clock.advance(1)
    assert keys.for_one_seal().wrapped != first.wrapped


def test_a_cached_data_key_opens_without_kms(
    keys: CountedKeys, kms: KMSClient, key_id: str, clock: FakeClock
) -> None:
    """The second opening with the same data key makes no call to KMS."""
    wrapped = CountedKeys(kms, key_id, clock).for_one_seal().wrapped

    keys.for_opening(wrapped)
    keys.for_opening(wrapped)

    assert keys.calls("decrypt") == 1


def test_a_cached_data_key_is_decrypted_again_after_an_hour(
    keys: CountedKeys, kms: KMSClient, key_id: str, clock: FakeClock
) -> None:
    """A key that is disabled in KMS opens nothing after that."""
    wrapped = CountedKeys(kms, key_id, clock).for_one_seal().wrapped
    keys.for_opening(wrapped)

    clock.advance(3_599)
    keys.for_opening(wrapped)
    assert keys.calls("decrypt") == 1

    clock.advance(1)
    keys.for_opening(wrapped)
    assert keys.calls("decrypt") == 2


def test_the_cache_holds_the_most_recently_used_keys(
    keys: CountedKeys, kms: KMSClient, key_id: str, clock: FakeClock
) -> None:
    """The cache has room for two keys, and a third one replaces the least recently used one."""
    old, used, new = (CountedKeys(kms, key_id, clock).for_one_seal().wrapped for _ in range(3))

    for wrapped in (used, old, used, new, used):
        keys.for_opening(wrapped)
    assert keys.calls("decrypt") == 3

    keys.for_opening(old)
    assert keys.calls("decrypt") == 4


def test_the_repr_of_a_data_key_hides_the_key(keys: CountedKeys) -> None:
    """The repr shows the key's age only."""
    key = keys.for_one_seal()

    assert str(key.wrapped) not in repr(key)
    assert "AESGCM" not in repr(key)
