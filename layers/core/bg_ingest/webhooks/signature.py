# Standard Webhooks 1.0, the symmetric scheme, with no I/O in it.
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
#
# Rule 1: signed is `{webhook-id}.{webhook-timestamp}.{body}`, the body byte for byte as it came.
# Rule 2: of several signatures, and of several live secrets, one that matches is enough. All are compared,
#         each in constant time: how long it takes says nothing about how close a guess was.
# Rule 3: too old is refused, and so is too far ahead: a replay must not wait for its time to come.
# Rule 4: no header whatsoever makes anything here raise.
"""Whether a secret of ours signed a webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - the form's name, and no secret.
# The specification's own: 192 bits at least, 512 at most.
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
TOLERANCE_S = 300
_VERSION = "v1,"
_SECONDS = re.compile(r"\d{1,12}", re.ASCII)


class SecretUnusable(Exception):
    """A webhook secret is not of the form that senders are given; says nothing of what it is."""


def key_of(secret: str) -> bytes:
    """The key a secret stands for: base64, with or without its prefix and its padding."""
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
    """What a sender who has this key puts into `webhook-signature`."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return _VERSION + base64.b64encode(digest).decode("ascii")


def is_signed(
    headers: Mapping[str, str], webhook_id: str, body: bytes, keys: Iterable[bytes], now: datetime
) -> bool:
    """Whether one of these keys signed this, within the tolerance; header names are lower case."""
    timestamp = headers.get("webhook-timestamp", "")
    if not _SECONDS.fullmatch(timestamp) or abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        return False
    # Text that is no ASCII cannot be compared in constant time as text, hence as bytes.
    given = [word.encode(errors="replace") for word in headers.get("webhook-signature", "").split(" ")]
    expected = [signature(key, webhook_id, timestamp, body).encode() for key in keys]
    return any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in given])  # noqa: C419 - rule 2.
