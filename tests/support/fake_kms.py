"""A KMS whose one key lives in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from bg_ingest.clock import Clock


class KmsInMemory:
    """Data keys that are wrapped by being named."""

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        """A new data key."""
        wrapped, plain = os.urandom(16), os.urandom(32)
        self._keys[wrapped] = plain
        return {"Plaintext": plain, "CiphertextBlob": wrapped}

    def decrypt(self, *, CiphertextBlob: bytes, **_: Any) -> dict[str, bytes]:  # noqa: N803 - boto3's.
        """A data key of this KMS."""
        return {"Plaintext": self._keys.get(CiphertextBlob, bytes(32))}


def fake_sealer(clock: Clock, purpose: Purpose = Purpose.PAGE) -> Sealer:
    """A sealer with a KMS of its own."""
    return Sealer(DataKeys(cast("KMSClient", KmsInMemory()), "key", "test", clock, purpose=purpose))
