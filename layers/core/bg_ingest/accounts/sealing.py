"""
Encryption of stored secrets, bound to the user they belong to.

A seal carries its wrapped data key, so any process can open it at any time:

    +---------+----------------+-------------+-----------+----------------------+
    | version | length of the  | wrapped     | nonce     | ciphertext and tag   |
    | 1 byte  | wrapped key, 2 | data key    | 12 bytes  | (AES-256-GCM)        |
    +---------+----------------+-------------+-----------+----------------------+

The version and the user id are authenticated with the ciphertext. So a seal does not open for another user,
although many users' seals share a data key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from bg_ingest.accounts.data_keys import DataKey, DataKeys, SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = b"\x01"
_LENGTH_BYTES = 2
_NONCE_BYTES = 12  # What GCM is made for; any other length is hashed down first.


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals and opens secrets with data keys from KMS."""

    keys: DataKeys

    def seal(self, user_id: str, secret: bytes) -> bytes:
        """The sealed form of a secret of this user."""
        return _sealed(self.keys.for_one_seal(), user_id, secret)

    def ready(self) -> Callable[[str, bytes], bytes]:
        """
        A `seal` for one future secret, with its data key fetched now.

        For a secret that cannot be requested again: after this call sealing needs no network and cannot fail.
        """
        key = self.keys.for_one_seal()
        return lambda user_id, secret: _sealed(key, user_id, secret)

    def open(self, user_id: str, stored: bytes) -> bytes:
        """The secret; raises SealBroken if the seal is damaged or another user's."""
        wrapped, nonce, ciphertext = _taken_apart(stored)
        key = self.keys.for_opening(wrapped)
        try:
            return key.cipher.decrypt(nonce, ciphertext, _bound_to(user_id))
        except InvalidTag:
            raise SealBroken("not sealed for this user, or damaged") from None


def _sealed(key: DataKey, user_id: str, secret: bytes) -> bytes:
    # os.urandom, not OpenSSL: its output differs between the environments restored from one snapshot.
    nonce = os.urandom(_NONCE_BYTES)
    length = len(key.wrapped).to_bytes(_LENGTH_BYTES, "big")
    return VERSION + length + key.wrapped + nonce + key.cipher.encrypt(nonce, secret, _bound_to(user_id))


def _taken_apart(stored: bytes) -> tuple[bytes, bytes, bytes]:
    wrapped_at = len(VERSION) + _LENGTH_BYTES
    nonce_at = wrapped_at + int.from_bytes(stored[len(VERSION) : wrapped_at], "big")
    ciphertext_at = nonce_at + _NONCE_BYTES
    if not stored.startswith(VERSION) or len(stored) <= ciphertext_at:
        raise SealBroken("not a seal of a version this code knows")
    return stored[wrapped_at:nonce_at], stored[nonce_at:ciphertext_at], stored[ciphertext_at:]


def _bound_to(user_id: str) -> bytes:
    return VERSION + user_id.encode()
