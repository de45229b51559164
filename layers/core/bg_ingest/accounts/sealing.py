"""
Encryption of stored secrets, bound to the user they belong to and to what they are for.

A seal carries its wrapped data key, so any process can open it at any time:

    +---------+----------------+-------------+-----------+----------------------+
    | version | length of the  | wrapped     | nonce     | ciphertext and tag   |
    | 1 byte  | wrapped key, 2 | data key    | 12 bytes  | (AES-256-GCM)        |
    +---------+----------------+-------------+-----------+----------------------+

The version, the purpose, the user id and further details are authenticated with the ciphertext. Tokens name
their provider, its region and their generation. So a seal opens nowhere else, although many users' seals
share a data key: not for another user, not as another kind of secret, and not for another host.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from bg_ingest.accounts.data_keys import DataKey, DataKeys, SealBroken

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = b"\x02"  # Version 1 was bound to the user alone, and is not opened any more.
_LENGTH_BYTES = 2
_NONCE_BYTES = 12  # What GCM is made for; any other length is hashed down first.


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
