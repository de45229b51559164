"""
Encryption of records in a queue message, each with a key of its own.

A queue cannot be searched for the messages of a user. So an erasure removes the keys, and no message opens
without its key:

    webhook    makes a key, seals it (see `sealing`) and stores the seal as an item of the user
               encrypts the records with the key; the message has the ciphertext and the id of the key
    erasure    removes the item with the user's others
    worker     reads the item, opens the seal and decrypts the records

The webhook function can seal only: opening takes kms:Decrypt for this purpose, which the worker alone has.
"""

from __future__ import annotations

import binascii
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bg_ingest import ids
from bg_ingest.accounts.sealing import SealBroken

if TYPE_CHECKING:
    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

_PREFIX = "message#"
_KEY_BYTES = 32
_NONCE = bytes(12)  # A key encrypts one message, so the nonce need not differ.
# Longer than a message can wait in the jobs queue and its dead letters together.
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class MessageSeals:
    """Seals and opens the records of messages; the keys are in the intake table."""

    table: Table
    sealer: Sealer
    clock: Clock

    def seal(self, user_id: str, content: bytes) -> str:
        """The sealed content as text for a message. Its key is stored before this returns."""
        now = self.clock.now()
        key, key_id = os.urandom(_KEY_BYTES), ids.new_id(now)
        self.table.put(
            {
                "pk": user_id,
                "sk": _PREFIX + key_id,
                "seal": self.sealer.seal(user_id, key, key_id),
                "expires_at": int((now + KEPT).timestamp()),
            }
        )
        ciphertext = AESGCM(key).encrypt(_NONCE, content, _bound_to(user_id, key_id))
        return f"{key_id}.{b64encode(ciphertext).decode('ascii')}"

    def open(self, user_id: str, sealed: str) -> bytes:
        """The content; raises SealBroken if it was not sealed for this user, or its key was removed."""
        key_id, _, text = sealed.partition(".")
        item = self.table.get(user_id, _PREFIX + key_id)
        if item is None:
            raise SealBroken("the key of this message was removed")
        key = self.sealer.open(user_id, item["seal"], key_id)
        try:
            return AESGCM(key).decrypt(_NONCE, b64decode(text), _bound_to(user_id, key_id))
        except (InvalidTag, binascii.Error):
            raise SealBroken("damaged, or not sealed with this key") from None


def _bound_to(user_id: str, key_id: str) -> bytes:
    return f"{key_id} {user_id}".encode()
