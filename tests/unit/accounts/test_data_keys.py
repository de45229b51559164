from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts.data_keys import DataKeys, KeyLimits, Purpose
from tests.contract.stepped import At, stepped

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from tests.support.fakes import FakeClock

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
