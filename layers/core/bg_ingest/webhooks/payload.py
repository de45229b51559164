"""
What a webhook carried, on its way through the queue: the body as it was signed, compressed, as text.

SQS takes a mebibyte of text, and not every character of it. A body of 256 KiB is 342 KiB at worst this way,
whatever is in it; written as JSON inside JSON it could be four times its size.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

BODY_BYTES_MAX = 262_144


class PayloadUnreadable(Exception):
    """What was packed does not come out again."""


def pack(body: bytes) -> str:
    """As much text as four thirds of the body, and a few bytes, at worst."""
    return base64.b64encode(zlib.compress(body)).decode("ascii")


def unpack(packed: str) -> dict[str, Any]:
    """The `data` of the body; raises Unreadable."""
    try:
        # No message may grow beyond what can have been packed.
        body = zlib.decompressobj().decompress(base64.b64decode(packed), BODY_BYTES_MAX)
        data = document_of(body)["data"]
    except (ValueError, zlib.error, KeyError, TypeError) as error:
        raise PayloadUnreadable(type(error).__name__) from None
    if not isinstance(data, dict):
        raise PayloadUnreadable("no object")
    return data


def document_of(body: bytes) -> Any:
    """A body as JSON; raises ValueError on what is none, nested too deep, or has numbers without end."""
    # Python's own reader, which the provider's answers go through as well: half a surrogate pair in one
    # record costs nobody but that record.
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None
