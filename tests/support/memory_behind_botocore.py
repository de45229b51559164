"""Answers the calls of a botocore client from the in-memory DynamoDB, ten times as fast as moto."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = {
    "GetItem": MemoryDynamo.get_item,
    "PutItem": MemoryDynamo.put_item,
    "UpdateItem": MemoryDynamo.update_item,
    "DeleteItem": MemoryDynamo.delete_item,
    "Query": MemoryDynamo.query,
    "Scan": MemoryDynamo.scan,
    "BatchGetItem": MemoryDynamo.batch_get_item,
    "TransactWriteItems": MemoryDynamo.transact_write_items,
}
_PAGE_ITEMS = 100_000


class _Answer:
    """What botocore reads of an HTTP response."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
        self.headers: dict[str, str] = {}


@contextmanager
def answered_from_memory(client: Any, *names: str) -> Iterator[MemoryDynamo]:
    """Answer from tables with these names in memory. A request for any other table goes to moto."""
    memory = MemoryDynamo(page_items_max=_PAGE_ITEMS)
    tables = set(names)

    def answer(model: Any, params: dict[str, Any], **_: Any) -> tuple[_Answer, Any] | None:
        request = json.loads(params["body"], object_hook=_with_bytes)
        if not _named(request) <= tables:
            return None
        if model.name == "DeleteTable":
            tables.discard(request["TableName"])
        if model.name in {"DeleteTable", "DescribeTable"}:
            return _Answer(200), {"Table": {"TableStatus": "ACTIVE"}}
        operation = _MEMORY[model.name]
        try:
            return _Answer(200), operation(memory, **request)  # type: ignore[operator]  # One of eight signatures.
        except ClientError as refused:
            return _Answer(400), refused.response

    # Before the call is sent, so botocore has checked and announced its parameters.
    client.meta.events.register_last("before-call.dynamodb", answer)
    try:
        yield memory
    finally:
        client.meta.events.unregister("before-call.dynamodb", answer)


def _named(request: dict[str, Any]) -> set[str]:
    if "TransactItems" in request:
        return {entry["TableName"] for each in request["TransactItems"] for entry in each.values()}
    return set(request.get("RequestItems", ())) or {request["TableName"]}


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    encoded = value.get("B")
    return {"B": b64decode(encoded)} if isinstance(encoded, str) else value
