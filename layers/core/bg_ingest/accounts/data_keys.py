"""
A cache of data keys from KMS.

KMS returns a data key twice: in plain text, and wrapped by a key that never leaves KMS. The wrapped form can
be stored anywhere; a role with kms:Decrypt can unwrap it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_kms import KMSClient

    from bg_ingest.clock import Clock


class SealBroken(Exception):
    """This is not one of our seals, or not one of this user and purpose; retrying cannot help."""


class Purpose(StrEnum):
    """What a sealed secret is for; a seal of one purpose does not open as one of another."""

    TOKENS = "tokens"
    PARKED_TOKENS = "parked-tokens"  # Of a login that its user has not confirmed.
    QUARANTINE = "quarantine"
    MESSAGES = "messages"  # Of the keys of queue messages.
    PAGE = "page"  # The cookies of the page.


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """
    How long and how often a data key is used from memory.

    Sealing: random 96-bit nonces are safe for 2**32 seals under one key (NIST SP 800-38D), a million times
    what is allowed here. The limits bound the damage of a leaked key: a key read from a process's memory
    opens at most that many seals, made within that hour. They cost one KMS call an hour and process.

    Opening: tokens live two hours, so the seals in use at one time come from at most three data keys per
    process that seals; 512 cover 170 processes. With that, 100,000 users cost no decryption a poll. A key
    that is disabled in KMS opens nothing after an hour.
    """

    seals_max: int = 4_096
    seal_age_max: timedelta = timedelta(hours=1)
    opened_keys_max: int = 512
    open_age_max: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key, ready for use, and its wrapped form."""

    cipher: AESGCM = field(repr=False)
    wrapped: bytes = field(repr=False)
    since: datetime


class DataKeys:
    """
    Data keys of one purpose, from memory where possible, otherwise from KMS; thread-safe.

    Ages are measured by the time of day: the monotonic clock of a frozen Lambda environment does not advance.
    """

    def __init__(
        self,
        kms: KMSClient,
        key_id: str,
        environment: str,
        clock: Clock,
        *,
        purpose: Purpose,
        limits: KeyLimits | None = None,
    ) -> None:
        self.purpose = purpose
        self._kms = kms
        self._key_id = key_id
        # KMS authenticates the context. A seal of staging does not open in production, even with the same
        # key, a role can be limited to one purpose, and CloudTrail records the context with every use.
        self._context = {"service": "bg-ingest", "environment": environment, "purpose": purpose.value}
        self._clock = clock
        self._limits = limits or KeyLimits()
        # Two locks: while one thread fetches a new key to seal with, others can still open with known keys.
        self._sealing_lock = Lock()
        self._sealing: DataKey | None = None
        self._seals_left = 0
        self._opening_lock = Lock()
        self._opening: OrderedDict[bytes, DataKey] = OrderedDict()  # Least recently used first.

    def for_one_seal(self) -> DataKey:
        """A key to seal one secret."""
        now = self._clock.now()
        with self._sealing_lock:
            key = self._sealing
            if key is None or self._seals_left == 0 or now - key.since >= self._limits.seal_age_max:
                key = self._sealing = self._generate(now)
                self._seals_left = self._limits.seals_max
            self._seals_left -= 1
        return key

    def for_opening(self, wrapped: bytes) -> DataKey:
        """The key with this wrapped form."""
        now = self._clock.now()
        with self._opening_lock:
            key = self._opening.get(wrapped)
            if key is not None and now - key.since < self._limits.open_age_max:
                self._opening.move_to_end(wrapped)
                return key
        # Outside the lock: a slow KMS call must not block threads whose key is known.
        return self._remember(DataKey(AESGCM(self._unwrap(wrapped)), wrapped, now))

    def _generate(self, now: datetime) -> DataKey:
        answer = self._kms.generate_data_key(
            KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=self._context
        )
        return self._remember(DataKey(AESGCM(answer["Plaintext"]), answer["CiphertextBlob"], now))

    def _unwrap(self, wrapped: bytes) -> bytes:
        try:
            answer = self._kms.decrypt(
                CiphertextBlob=wrapped, EncryptionContext=self._context, KeyId=self._key_id
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidCiphertextException":
                raise SealBroken("the key of this seal was not wrapped here") from None
            raise
        return answer["Plaintext"]

    def _remember(self, key: DataKey) -> DataKey:
        with self._opening_lock:
            self._opening[key.wrapped] = key
            self._opening.move_to_end(key.wrapped)
            if len(self._opening) > self._limits.opened_keys_max:
                self._opening.popitem(last=False)
        return key
