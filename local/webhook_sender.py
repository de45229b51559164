"""Sends webhooks to the local cloud, signed as Standard Webhooks 1.0 defines."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.clock import SystemClock
from bg_ingest.webhooks.authentication import SECRET_BYTES_MIN, SECRET_PREFIX, key_of, signature
from local.errors import CannotStart

if TYPE_CHECKING:
    from datetime import datetime

    from local.stack import Stack


def new_secret() -> str:
    """Generate a webhook secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES_MIN)).decode("ascii")


def signed_headers(secret: str, webhook_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of a signed webhook."""
    timestamp = str(int(now.timestamp()))
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(key_of(secret), webhook_id, timestamp, body),
    }


def one_reading(at: datetime, value: int = 123) -> dict[str, Any]:
    """A webhook body with one reading."""
    record = {
        "systemTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "displayTime": at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "value": value,
        "trend": "flat",
        "unit": "mg/dL",
        "displayDevice": "iOS",
        "transmitterGeneration": "g7",
    }
    return {"type": "egvs.created", "data": {"records": [record]}}


def body_in(file: str) -> bytes:
    """The body in a file. In a file of events/ it is the body of the request."""
    try:
        raw = Path(file).read_bytes()
        document = json.loads(raw)
    except (OSError, ValueError) as error:
        raise CannotStart(f"{file} is not a readable JSON file: {error}") from error
    if not isinstance(document, dict) or "requestContext" not in document:
        return raw
    text = str(document.get("body") or "")
    return base64.b64decode(text) if document.get("isBase64Encoded") else text.encode()


def send(
    stack: Stack, user_id: str, file: str | None = None, webhook_id: str | None = None
) -> httpx.Response:
    """Send the body of a file, or one current reading; with this id, or a new one."""
    now = SystemClock().now()
    body = body_in(file) if file else json.dumps(one_reading(now)).encode()
    webhook_id = webhook_id or f"msg_{secrets.token_hex(12)}"
    headers = signed_headers(stack.webhook_secret, webhook_id, body, now)
    with httpx.Client(timeout=60, trust_env=False) as client:
        address = f"{stack.api}/api/bg/{user_id}/webhook"
        return client.post(address, content=body, headers={"content-type": "application/json", **headers})
