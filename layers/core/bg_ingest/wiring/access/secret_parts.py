"""The secrets, read again before they are old."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bg_ingest.aws import aws_clients

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def read_secret(own: Process, name: str) -> str:
    """The current text of a secret."""
    return aws_clients.secrets(own.settings.aws_region).get_secret_value(SecretId=name)["SecretString"]


def read_json_secret(own: Process, name: str) -> dict[str, Any]:
    """The current members of a secret."""
    members: dict[str, Any] = json.loads(read_secret(own, name))
    return members
