"""
The AWS of tests in one process: requests of the service's own clients are answered by moto.

Tables can be in the in-memory DynamoDB instead, which is ten times as fast.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from moto.core.models import botocore_stubber
from urllib3 import HTTPHeaderDict

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    # The service, the operation and its parameters.
    Watcher = Callable[[str, str, dict[str, Any]], None]

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


@dataclass(frozen=True, slots=True)
class _Response:
    """What the client reads of urllib3's response."""

    status: int
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class AwsInProcess:
    """A pool of connections that lead to AWS in this process."""

    tables: set[str]  # The names of those in memory.
    memory: MemoryDynamo = field(default_factory=lambda: MemoryDynamo(page_items_max=_PAGE_ITEMS))
    watchers: list[Watcher] = field(default_factory=list)  # One that raises refuses the call.

    def request(self, method: str, url: str, *, body: bytes, headers: dict[str, str]) -> _Response:
        """Answer one request."""
        target, _, operation = headers.get("X-Amz-Target", "").partition(".")
        request = json.loads(body, object_hook=_with_bytes) if target else {}
        try:
            for watcher in self.watchers:
                watcher(target, operation, request)
            if target.startswith("DynamoDB") and _named(request) <= self.tables:
                return _Response(HTTPStatus.OK, _body(self._from_memory(operation, request)))
        except ClientError as refused:
            return _refusal(refused)
        asked = AWSPreparedRequest(method, url, HTTPHeaders.from_dict(headers), body, stream_output=False)
        status, found, text = botocore_stubber.process_request(asked)  # type: ignore[misc]  # None only outside of mock_aws.
        return _Response(status, text.encode() if isinstance(text, str) else text, HTTPHeaderDict(found))

    def _from_memory(self, operation: str, request: dict[str, Any]) -> Any:
        if operation == "DeleteTable":
            self.tables.discard(request["TableName"])
        if operation in {"DeleteTable", "DescribeTable"}:
            return {"Table": {"TableStatus": "ACTIVE"}}
        return _MEMORY[operation](self.memory, **request)  # type: ignore[operator]  # One of eight signatures.


class _NoPauses(SystemClock):
    """A clock on which a client waits for nothing between two tries."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""


@contextmanager
def aws_in_process(*tables: str) -> Iterator[AwsInProcess]:
    """Let the service's clients reach moto, and these tables in memory; moto is started by the caller."""
    aws = AwsInProcess(set(tables))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_clients, "pool", lambda _region: aws)
        patch.setattr(aws_clients, "SystemClock", _NoPauses)
        _forget_clients()
        yield aws
    _forget_clients()


def _forget_clients() -> None:
    aws_clients.client_of.cache_clear()
    aws_clients.s3.cache_clear()


def _refusal(refused: ClientError) -> _Response:
    response: dict[str, Any] = {**refused.response}
    error = response.pop("Error")
    body = response | {"__type": error["Code"], "message": error.get("Message", "")}
    return _Response(HTTPStatus.BAD_REQUEST, _body(body))


def _body(content: Any) -> bytes:
    return json.dumps(content, default=lambda value: b64encode(value).decode()).encode()


def _named(request: dict[str, Any]) -> set[str]:
    if "TransactItems" in request:
        return {entry["TableName"] for each in request["TransactItems"] for entry in each.values()}
    return set(request.get("RequestItems", ())) or {request["TableName"]}


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    encoded = value.get("B")
    return {"B": b64decode(encoded)} if isinstance(encoded, str) else value
