"""The queue message that orders an export, or the rest of one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bg_ingest.exporting.export_job import ExportKey

DELIVERIES_MAX = 5  # Then SQS moves the message to the dead letters.


@dataclass(frozen=True, slots=True)
class ExportMessage:
    """A queue message: carry out this export. `user_ids` is None for all users who ever connected."""

    key: ExportKey
    user_ids: tuple[str, ...] | None

    @classmethod
    def parse(cls, body: str) -> ExportMessage:
        """The message in a body; raises ValueError, KeyError or TypeError on an invalid one."""
        document = json.loads(body)
        user_ids = document["users"]
        key = ExportKey(document["owner"], document["export_id"])
        return cls(key, None if user_ids is None else tuple(user_ids))

    def body(self) -> str:
        """The text of the message."""
        document = {"owner": self.key.owner, "export_id": self.key.export_id, "users": self.user_ids}
        return json.dumps(document, separators=(",", ":"))
