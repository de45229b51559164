"""The client of AWS's services: what it sends, parses, tries again and reports, against a web server."""

from __future__ import annotations

import json
import socket
import zlib
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.retries import standard

from bg_ingest.aws import aws_http
from bg_ingest.aws.aws_http import AwsHttp, RetryBudget
from bg_ingest.aws.aws_json import SERVICES, AwsJsonClient
from bg_ingest.aws.signature import Credentials, Signer
from local.ports import free_port
from tests.support.fakes import FakeClock
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 7, 12, tzinfo=UTC)
THROTTLED = {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}
CLOSED = b"closed"  # Instead of an answer: the connection is closed.


@dataclass
class Prepared:
    """What the server answers, one after the other, and what it was asked."""

    given: list[tuple[int, dict[str, Any] | bytes, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def add(self, status: int, body: dict[str, Any] | bytes, **headers: str) -> None:
        """Add one answer; underscores in a header's name stand for hyphens."""
        self.given.append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))


@dataclass
class Aws:
    """The server and a client of it."""

    answers: Prepared
    client: AwsJsonClient
    clock: FakeClock


def _client(endpoint: str, clock: FakeClock, service: str = "dynamodb", **settings: Any) -> AwsJsonClient:
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=1, read=0.2))
    signer = Signer(Credentials("AKID", "secret"), service, "eu-west-1")
    return AwsJsonClient(SERVICES[service], AwsHttp(endpoint, signer, clock, pool, **settings))


@pytest.fixture
def aws() -> Iterator[Aws]:
    """A server that answers what a test has prepared."""
    answers = Prepared()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.asked.append(({**self.headers}, json.loads(body)))
            status, answer, headers = answers.given.pop(0)
            if answer == CLOSED:
                self.close_connection = True
                return
            text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

    clock = FakeClock(NOW)
    with serving(ThreadingHTTPServer(ANY_PORT, Handler)) as endpoint:
        client = _client(endpoint, clock)
        yield Aws(answers, client, clock)
        client.http.pool.clear()


def test_a_method_is_an_operation_of_the_service(aws: Aws) -> None:
    """The request has the operation, its parameters with bytes as base64, and a signature."""
    aws.answers.add(200, {"Item": {"pk": {"S": "ada"}}}, x_amzn_RequestId="r1")
    answer = aws.client.get_item(TableName="readings", Key={"pk": {"B": b"\x00\xff"}})
    (headers, request), *others = aws.answers.asked

    assert others == []
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert headers["Authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKID/20261107/eu-west-1/dynamodb/"
    )
    assert request == {"TableName": "readings", "Key": {"pk": {"B": "AP8="}}}
    assert answer["Item"] == {"pk": {"S": "ada"}}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["ResponseMetadata"]["RequestId"] == "r1"


def test_bytes_of_kms_are_bytes(aws: Aws) -> None:
    """A data key comes in both forms as bytes."""
    aws.answers.add(
        200,
        {
            "Plaintext": b64encode(b"key").decode(),
            "CiphertextBlob": b64encode(b"sealed").decode(),
            "KeyId": "k",
        },
    )
    answer = _client(aws.client.http.endpoint, aws.clock, "kms").generate_data_key(KeyId="k")

    assert (answer["Plaintext"], answer["CiphertextBlob"], answer["KeyId"]) == (b"key", b"sealed", "k")
    assert aws.answers.asked[0][0]["X-Amz-Target"] == "TrentService.GenerateDataKey"


def test_a_time_is_sent_in_seconds(aws: Aws) -> None:
    """As botocore sends it; anything else that JSON does not know is an error."""
    aws.answers.add(200, {})
    _client(aws.client.http.endpoint, aws.clock, "events").put_events(Entries=[{"Time": NOW}])
    with pytest.raises(TypeError, match="cannot send a object"):
        aws.client.put_item(Item=object())

    assert [request for _, request in aws.answers.asked] == [{"Entries": [{"Time": 1_794_052_800}]}]
    assert aws.answers.asked[0][0]["X-Amz-Target"] == "AWSEvents.PutEvents"


def test_a_refusal_is_botocores_error(aws: Aws) -> None:
    """With its code, its message, its operation, and what else the answer has. It is not tried again."""
    aws.answers.add(
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "Message": "The conditional request failed",
            "Item": {"pk": {"S": "ada"}},
        },
    )
    with pytest.raises(ClientError) as refused:
        aws.client.put_item(TableName="readings")

    assert refused.value.operation_name == "PutItem"
    response: Any = refused.value.response
    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Error"]["Message"] == "The conditional request failed"
    assert response["Item"] == {"pk": {"S": "ada"}}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(aws.answers.asked) == 1


def test_a_code_of_the_older_protocol_of_sqs_counts(aws: Aws) -> None:
    """SQS names it in a header; botocore reports it."""
    aws.answers.add(
        400,
        {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"},
        x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender",
    )
    with pytest.raises(ClientError) as refused:
        _client(aws.client.http.endpoint, aws.clock, "sqs").send_message(QueueUrl="q", MessageBody="m")

    assert refused.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, THROTTLED), (500, {"__type": "InternalServerError"}), (503, b"<html>no</html>"), (200, CLOSED)],
)
def test_a_passing_failure_is_tried_again(aws: Aws, status: int, body: dict[str, Any] | bytes) -> None:
    """Twice, after a pause; the third answer is the result."""
    aws.answers.add(status, body)
    aws.answers.add(status, body)
    aws.answers.add(200, {"Count": 7})

    assert aws.client.query(TableName="readings")["Count"] == 7
    assert [request for _, request in aws.answers.asked] == [{"TableName": "readings"}] * 3
    assert 0 < (aws.clock.now() - NOW).total_seconds() < 3


def test_the_third_failure_is_reported(aws: Aws) -> None:
    """As it came: a refusal with its code, and a lost connection as botocore's exception."""
    for _ in range(3):
        aws.answers.add(400, THROTTLED)
    with pytest.raises(ClientError, match="ThrottlingException"):
        aws.client.query(TableName="readings")
    for _ in range(3):
        aws.answers.add(200, CLOSED)
    with pytest.raises(ConnectionClosedError):
        aws.client.query(TableName="readings")

    assert len(aws.answers.asked) == 6


def test_a_damaged_answer_is_tried_again(aws: Aws) -> None:
    """DynamoDB sends a checksum of its body."""
    body = json.dumps({"Count": 7}).encode()
    aws.answers.add(200, body, x_amz_crc32=str(zlib.crc32(body) + 1))
    aws.answers.add(200, body, x_amz_crc32=str(zlib.crc32(body)))

    assert aws.client.query(TableName="readings")["Count"] == 7
    assert len(aws.answers.asked) == 2


def test_a_process_whose_calls_fail_stops_trying_again(aws: Aws) -> None:
    """Otherwise every process would send three times as much to a service that has too much to do."""
    client = _client(aws.client.http.endpoint, aws.clock, retries=RetryBudget(left=12))
    for _ in range(4):
        aws.answers.add(400, THROTTLED)
    for _ in range(2):
        with pytest.raises(ClientError):
            client.query(TableName="readings")
    assert len(aws.answers.asked) == 4  # Three tries, then one.

    for _ in range(3):
        aws.answers.add(200, {})
        client.query(TableName="readings")
    for _ in range(4):  # Successes have paid for another try, and each one that succeeds for the next.
        aws.answers.add(400, THROTTLED)
        aws.answers.add(200, {"Count": 7})
        assert client.query(TableName="readings")["Count"] == 7


def test_no_server_and_no_answer_are_errors_without_a_response(aws: Aws) -> None:
    """Each as botocore's clients raise it."""
    nowhere = _client(f"http://127.0.0.1:{free_port()}", aws.clock)
    with pytest.raises(EndpointConnectionError):
        nowhere.get_item()

    # The kernel accepts a connection, and no answer comes.
    with socket.create_server(ANY_PORT) as silent, pytest.raises(ReadTimeoutError) as timed_out:
        _client(f"http://127.0.0.1:{silent.getsockname()[1]}", aws.clock).get_item()
    assert isinstance(timed_out.value, BotoCoreError)


def test_the_trace_of_an_invocation_is_passed_on(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """By it Lambda ends functions that call each other without end."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    aws.answers.add(200, {})
    aws.client.get_item()

    assert aws.answers.asked[0][0]["X-Amzn-Trace-Id"] == (
        "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    )


def test_the_codes_that_are_tried_again_are_botocores() -> None:
    """Those of its standard mode: throttled, and transient."""
    known: Any = standard
    throttled = known.ThrottledRetryableChecker._THROTTLED_ERROR_CODES  # noqa: SLF001 - there is no other list.
    transient = known.TransientRetryableChecker._TRANSIENT_ERROR_CODES  # noqa: SLF001 - as above.
    statuses = known.TransientRetryableChecker._TRANSIENT_STATUS_CODES  # noqa: SLF001 - as above.

    ours = aws_http._TRIED_AGAIN  # noqa: SLF001 - compared with botocore's.
    assert ours == {*throttled, *transient} - {"EC2ThrottledException"}
    assert {*statuses} == aws_http._TRANSIENT  # noqa: SLF001 - as above.
