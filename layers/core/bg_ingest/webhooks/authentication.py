"""
Authentication of webhooks: by a signature, or by a token.

A signature is one of Standard Webhooks 1.0, in its symmetric scheme:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Rule 1: the signed text is `{webhook-id}.{webhook-timestamp}.{body}`, with the body byte for byte.
Rule 2: if any signature matches any live secret, the webhook is authentic. All pairs are compared, each in
        constant time, so the duration says nothing about how close a guess was.
Rule 3: if the timestamp is too old, or too far ahead, the webhook is rejected.
Rule 4: if a header is malformed, the webhook is rejected; nothing here raises.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.clock import Clock


SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret.
# The specification's limits: 192 to 512 bits.
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
TOLERANCE_S = 300
_VERSION = "v1,"
_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
# The id is part of the signed text and of a sort key, and is never logged. No character of it can begin a
# JSON object, so `{id}.{timestamp}.{body}` can be read in one way only, although an id may contain dots.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~+/=|-]{0,255}", re.ASCII)


class SecretUnusable(Exception):
    """A configured webhook secret is malformed; the text does not contain it."""


def key_of(secret: str) -> bytes:
    """The key in a secret: base64, with or without prefix and padding."""
    text = secret.strip().removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise SecretUnusable(
            f"a webhook secret must be {SECRET_PREFIX} and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}"
            " bytes in base64"
        )
    return key


def signature(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    """The `webhook-signature` that a sender with this key sends."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return _VERSION + base64.b64encode(digest).decode("ascii")


def is_signed(
    headers: Mapping[str, str], webhook_id: str, body: bytes, keys: Iterable[bytes], now: datetime
) -> bool:
    """Whether one of these keys signed this within the tolerance; header names are lower case."""
    timestamp = headers.get("webhook-timestamp", "")
    if not _SECONDS.fullmatch(timestamp) or abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        return False
    # As bytes: text outside ASCII cannot be compared in constant time.
    given = [word.encode(errors="replace") for word in headers.get("webhook-signature", "").split(" ")]
    expected = [signature(key, webhook_id, timestamp, body).encode() for key in keys]
    return any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in given])  # noqa: C419 - rule 2.


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery of a webhook: its id, the user of its address, and its body."""

    webhook_id: str
    user_id: str = field(repr=False)
    body: bytes = field(repr=False)


class VerifiesTokens(Protocol):
    """The check of a bearer token."""

    def prove(self, token: str, webhook: Delivered, now: datetime) -> bool:
        """Whether this token was made for this webhook and is valid now."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookAuthenticator:
    """Authenticates senders of webhooks."""

    keys: Callable[[], Sequence[bytes]]  # The live secrets: two during a rotation.
    tokens: Callable[[], VerifiesTokens | None]
    clock: Clock

    def authenticated_id(self, headers: Mapping[str, str], user_id: str, body: bytes) -> str | None:
        """The webhook's id if the request is authentic, else None for any reason."""
        webhook_id = headers.get("webhook-id", "")
        if not _ID.fullmatch(webhook_id):
            return None
        if "webhook-signature" in headers:
            authentic = is_signed(headers, webhook_id, body, self.keys(), self.clock.now())
        else:
            authentic = self._has_token(headers, Delivered(webhook_id, user_id, body))
        return webhook_id if authentic else None

    def _has_token(self, headers: Mapping[str, str], webhook: Delivered) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        tokens = self.tokens()
        return tokens is not None and tokens.prove(token.strip(), webhook, self.clock.now())
