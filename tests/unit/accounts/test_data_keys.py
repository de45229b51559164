from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts.data_keys import DataKeys, KeyLimits
from tests.contract.stepped import At, stepped

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from tests.support.fakes import FakeClock

LIMITS = KeyLimits(
    seals_max=3, seal_age_max=timedelta(minutes=5), opened_keys_max=2, open_age_max=timedelta(hours=1)
)


class CountedKeys(DataKeys):
    """Data keys, and what KMS was asked for them."""

    def __init__(self, kms: KMSClient, key_id: str, clock: FakeClock) -> None:
        self._seen = At("never", lambda: None)
        super().__init__(stepped(kms, self._seen), key_id, "test", clock, LIMITS)

    def calls(self, operation: str) -> int:
        """How often KMS was asked for this."""
        return self._seen.steps.count(f"before {operation}")


@pytest.fixture
def keys(kms: KMSClient, key_id: str, clock: FakeClock) -> CountedKeys:
    """The keys of a process that has just started."""
    return CountedKeys(kms, key_id, clock)


def test_a_key_seals_so_often_and_no_oftener(keys: CountedKeys) -> None:
    """The damage of one stolen key is bounded."""
    handed_out = [keys.for_one_seal().wrapped for _ in range(7)]

    assert [handed_out.count(wrapped) for wrapped in dict.fromkeys(handed_out)] == [3, 3, 1]


def test_a_key_seals_so_long_and_no_longer(keys: CountedKeys, clock: FakeClock) -> None:
    """A key disabled in KMS seals nothing more after five minutes."""
    first = keys.for_one_seal()
    clock.advance(299)
    assert keys.for_one_seal().wrapped == first.wrapped

    clock.advance(1)
    assert keys.for_one_seal().wrapped != first.wrapped


def test_a_known_key_opens_without_kms(
    keys: CountedKeys, kms: KMSClient, key_id: str, clock: FakeClock
) -> None:
    """The second opening of the same key is free."""
    wrapped = CountedKeys(kms, key_id, clock).for_one_seal().wrapped

    keys.for_opening(wrapped)
    keys.for_opening(wrapped)

    assert keys.calls("decrypt") == 1


def test_an_opened_key_is_asked_for_again_after_an_hour(
    keys: CountedKeys, kms: KMSClient, key_id: str, clock: FakeClock
) -> None:
    """A key disabled in KMS opens nothing more after that."""
    wrapped = CountedKeys(kms, key_id, clock).for_one_seal().wrapped
    keys.for_opening(wrapped)

    clock.advance(3_599)
    keys.for_opening(wrapped)
    assert keys.calls("decrypt") == 1

    clock.advance(1)
    keys.for_opening(wrapped)
    assert keys.calls("decrypt") == 2


def test_memory_holds_the_keys_used_last(
    keys: CountedKeys, kms: KMSClient, key_id: str, clock: FakeClock
) -> None:
    """Room for two: the one not used for longest makes place for a third."""
    old, used, new = (CountedKeys(kms, key_id, clock).for_one_seal().wrapped for _ in range(3))

    for wrapped in (used, old, used, new, used):
        keys.for_opening(wrapped)
    assert keys.calls("decrypt") == 3

    keys.for_opening(old)
    assert keys.calls("decrypt") == 4


def test_a_key_does_not_print_itself(keys: CountedKeys) -> None:
    """Its repr says how old it is and nothing else."""
    key = keys.for_one_seal()

    assert str(key.wrapped) not in repr(key)
    assert "AESGCM" not in repr(key)
