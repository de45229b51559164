"""
The body of a webhook with records: packed for the queue, and parsed.

The body travels as it was signed, compressed, sealed (accounts/sealing.py), as base64 text. SQS takes
one mebibyte of text, and not every character of it. A body of 256 KiB is at most 342 KiB this way; as JSON
inside JSON it could be four times its size.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import json
import zlib
from typing import Any

BODY_BYTES_MAX = 262_144


class PayloadUnreadable(Exception):
    """A packed body that cannot be unpacked."""


def pack(body: bytes) -> bytes:
    """The body as it is sealed for the queue."""
    return zlib.compress(body)


def unpack(packed: bytes) -> dict[str, Any]:
    """The `data` member of a packed body; raises PayloadUnreadable."""
    try:
        # The limit keeps a forged message from growing beyond what can have been packed.
        body = zlib.decompressobj().decompress(packed, BODY_BYTES_MAX)
        data = parse_body(body)["data"]
    except (ValueError, zlib.error, KeyError, TypeError) as error:
        raise PayloadUnreadable(type(error).__name__) from None
    if not isinstance(data, dict):
        raise PayloadUnreadable("data is not an object")
    return data


def parse_body(body: bytes) -> Any:
    """A body as JSON; raises ValueError if it is invalid, nested too deep, or has endless numbers."""
    # Python's own parser, as for the provider's responses: half a surrogate pair costs only its own record.
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None
