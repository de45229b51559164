"""The proxy's refusals look to boto3 like DynamoDB's own, and admitted calls are unchanged."""

from __future__ import annotations

import json
from http.server import HTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.faults.deployed.throttling import ThrottlingProxy
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Tables(QuietHandler):
    """The part of DynamoDB that records the operation, credentials and host of each call."""

    def do_POST(self) -> None:
        """Record the call and answer with a list of tables."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        host, target = self.headers["Host"], self.headers["X-Amz-Target"]
        body = json.dumps({"TableNames": [host, target, json.dumps(asked)]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def proxy() -> Iterator[ThrottlingProxy]:
    """Return a proxy in front of a DynamoDB that answers every call."""
    with serving(HTTPServer(ANY_PORT, _Tables)) as tables, ThrottlingProxy(tables) as proxy:
        yield proxy


def _client(proxy: ThrottlingProxy, tries: int) -> Any:
    return boto3.client(  # noqa: TID251 - nothing is wired here.
        "dynamodb",
        endpoint_url=proxy.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="some-key",
        aws_secret_access_key="some-secret",
        config=Config(retries={"mode": "standard", "total_max_attempts": tries}),
    )


def test_admitted_calls_pass_unchanged(proxy: ThrottlingProxy) -> None:
    """Operation, body and signed host arrive unchanged, and the answer is returned."""
    answer = _client(proxy, tries=1).list_tables(Limit=7)

    host = proxy.endpoint.removeprefix("http://")
    assert answer["TableNames"] == [host, "DynamoDB_20120810.ListTables", '{"Limit": 7}']
    assert (proxy.asked, proxy.refused) == (1, 0)


def test_both_refusals_are_throttling_errors(proxy: ThrottlingProxy) -> None:
    """Botocore classifies both refusals as throttling, by their error codes."""
    proxy.rate, client = 1.0, _client(proxy, tries=1)
    codes = set()
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            client.list_tables()
        codes.add(refused.value.response["Error"]["Code"])

    assert codes == {"ProvisionedThroughputExceededException", "ThrottlingException"}


def test_only_calls_about_a_key_are_refused(proxy: ThrottlingProxy) -> None:
    """The items of the breaker can be throttled while all others answer."""
    proxy.keys, client = ("app#breaker",), _client(proxy, tries=1)
    client.get_item(TableName="users", Key={"pk": {"S": "ada"}})
    with pytest.raises(ClientError):
        client.get_item(TableName="users", Key={"pk": {"S": "app#breaker"}})

    assert (proxy.asked, proxy.refused) == (2, 1)


def test_botocore_retries_a_refused_call(proxy: ThrottlingProxy) -> None:
    """Botocore retries a refused call, as it would on AWS."""
    proxy.rate = 1.0
    with pytest.raises(ClientError):
        _client(proxy, tries=2).list_tables()

    assert (proxy.asked, proxy.refused) == (2, 2)
