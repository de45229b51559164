"""
Encryption of stored secrets, bound to the user they belong to and to what they are for.

KMS returns a data key twice: in plain text, and wrapped by a key that never leaves KMS. The wrapped form can
be stored anywhere; a role with kms:Decrypt can unwrap it. A seal carries its wrapped data key, so any process
can open it at any time:

    +---------+----------------+-------------+-----------+----------------------+
    | version | length of the  | wrapped     | nonce     | ciphertext and tag   |
    | 1 byte  | wrapped key, 2 | data key    | 12 bytes  | (AES-256-GCM)        |
    +---------+----------------+-------------+-----------+----------------------+

The version, the purpose, the user id and further details are authenticated with the ciphertext. Tokens name
their provider, its region and their generation. So a seal opens nowhere else, although many users' seals
share a data key: not for another user, not as another kind of secret, and not for another host.
"""

from __future__ import annotations

import binascii
import json
import os
from base64 import b64decode, b64encode
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bg_ingest.clock import new_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mypy_boto3_kms import KMSClient

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table


VERSION = b"\x02"  # Version 1 was bound to the user alone, and is not opened any more.
_LENGTH_BYTES = 2
_NONCE_BYTES = 12  # What GCM is made for; any other length is hashed down first.
_MESSAGE_PREFIX = "message#"
_MESSAGE_KEY_BYTES = 32
_MESSAGE_NONCE = bytes(12)  # A key encrypts one message, so the nonce need not differ.
# Longer than a message can wait in the jobs queue and its dead letters together.
KEPT = timedelta(days=30)


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


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens secrets with data keys from KMS."""

    keys: DataKeys

    def seal(self, user_id: str, secret: bytes, *details: str) -> bytes:
        """The sealed form of a secret of this user, which opens with the same details only."""
        return _sealed(self.keys.for_one_seal(), secret, self._bound_to(user_id, details))

    def ready(self) -> Callable[..., bytes]:
        """
        A `seal` for one future secret, with its data key fetched now.

        For a secret that cannot be requested again: after this call sealing needs no network and cannot fail.
        """
        key = self.keys.for_one_seal()
        return lambda user_id, secret, *details: _sealed(key, secret, self._bound_to(user_id, details))

    def open(self, user_id: str, stored: bytes, *details: str) -> bytes:
        """The secret; raises SealBroken if the seal is damaged, or of another user, purpose or detail."""
        wrapped, nonce, ciphertext = _taken_apart(stored)
        key = self.keys.for_opening(wrapped)
        try:
            return key.cipher.decrypt(nonce, ciphertext, self._bound_to(user_id, details))
        except InvalidTag:
            raise SealBroken("sealed for another user or purpose, or damaged") from None

    def _bound_to(self, user_id: str, details: tuple[str, ...]) -> bytes:
        # JSON, so that no two lists of texts have the same bytes.
        return VERSION + json.dumps([self.keys.purpose, user_id, *details]).encode()


@dataclass(frozen=True, slots=True)
class MessageSeals:
    """
    Encryption of records in a queue message, each with a key of its own; the keys are in the intake table.

    A queue cannot be searched for the messages of a user. So an erasure removes the keys, and no message
    opens without its key:

        webhook    makes a key, seals it and stores the seal as an item of the user
                   encrypts the records with the key; the message has the ciphertext and the id of the key
        erasure    removes the item with the user's others
        worker     reads the item, opens the seal and decrypts the records

    The webhook function can seal only: opening takes kms:Decrypt for this purpose, which only the worker
    has.
    """

    table: Table
    sealer: Sealer
    clock: Clock

    def seal(self, user_id: str, content: bytes) -> str:
        """The sealed content as text for a message. Its key is stored before this returns."""
        now = self.clock.now()
        key, key_id = os.urandom(_MESSAGE_KEY_BYTES), new_id(now)
        self.table.put(
            {
                "pk": user_id,
                "sk": _MESSAGE_PREFIX + key_id,
                "seal": self.sealer.seal(user_id, key, key_id),
                "expires_at": int((now + KEPT).timestamp()),
            }
        )
        ciphertext = AESGCM(key).encrypt(_MESSAGE_NONCE, content, _message_bound_to(user_id, key_id))
        return f"{key_id}.{b64encode(ciphertext).decode('ascii')}"

    def open(self, user_id: str, sealed: str) -> bytes:
        """The content; raises SealBroken if it was not sealed for this user, or its key was removed."""
        key_id, _, text = sealed.partition(".")
        item = self.table.get(user_id, _MESSAGE_PREFIX + key_id)
        if item is None:
            raise SealBroken("the key of this message was removed")
        key = self.sealer.open(user_id, item["seal"], key_id)
        try:
            return AESGCM(key).decrypt(_MESSAGE_NONCE, b64decode(text), _message_bound_to(user_id, key_id))
        except (InvalidTag, binascii.Error):
            raise SealBroken("damaged, or not sealed with this key") from None


def _sealed(key: DataKey, secret: bytes, bound_to: bytes) -> bytes:
    # os.urandom, not OpenSSL: its output differs between the environments restored from one snapshot.
    nonce = os.urandom(_NONCE_BYTES)
    length = len(key.wrapped).to_bytes(_LENGTH_BYTES, "big")
    return VERSION + length + key.wrapped + nonce + key.cipher.encrypt(nonce, secret, bound_to)


def _taken_apart(stored: bytes) -> tuple[bytes, bytes, bytes]:
    wrapped_at = len(VERSION) + _LENGTH_BYTES
    nonce_at = wrapped_at + int.from_bytes(stored[len(VERSION) : wrapped_at], "big")
    ciphertext_at = nonce_at + _NONCE_BYTES
    if not stored.startswith(VERSION) or len(stored) <= ciphertext_at:
        raise SealBroken("not a seal of a version this code knows")
    return stored[wrapped_at:nonce_at], stored[nonce_at:ciphertext_at], stored[ciphertext_at:]


def _message_bound_to(user_id: str, key_id: str) -> bytes:
    return f"{key_id} {user_id}".encode()
