"""The eraser, put together."""

from __future__ import annotations

import json
from functools import cache

from bg_ingest.erasing.erase import Eraser
from bg_ingest.erasing.receipt import Receipts
from bg_ingest.settings import settings
from bg_ingest.wiring import aws_clients, stores


@cache
def eraser() -> Eraser:
    """The eraser of this process."""
    return Eraser(
        users=stores.users_table(),
        readings=stores.readings_table(),
        receipts=Receipts(stores.users_table(), stores.clock(), settings().audit_days),
        look_again=_look_again,
        clock=stores.clock(),
    )


def _look_again(user_id: str, in_s: int) -> None:
    aws_clients.sqs().send_message(
        QueueUrl=settings().erasures_queue_url,
        MessageBody=json.dumps({"user_id": user_id}),
        DelaySeconds=in_s,
    )
