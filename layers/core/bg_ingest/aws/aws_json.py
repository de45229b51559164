"""
A client of the services of AWS that speak JSON: DynamoDB, SQS, EventBridge, KMS, Secrets Manager, SSM.

Its methods are those of boto3's clients, with the same arguments, responses and exceptions. botocore needs
descriptions of each service to make, send and parse a request: that was a third of the CPU of a poll, and a
quarter of most cold starts. See docs/decisions/operations.md. Bytes in the items of a response stay base64
text; `dynamo.from_attributes` accepts both.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bg_ingest.aws.signature import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3

    from bg_ingest.aws.aws_http import AwsHttp

_TARGET = Target("POST")


@dataclass(frozen=True, slots=True)
class Service:
    """A service of AWS, as its protocol names it."""

    host: str  # The first part of its host name, which is also what signatures name.
    target: str  # Comes before the operation's name.
    version: str = "1.1"  # Of the protocol.
    variable: str = ""  # The part of AWS_ENDPOINT_URL_... that names it.
    blobs: tuple[str, ...] = ()  # The members of a response that are bytes.


_OF_KMS = ("CiphertextBlob", "CiphertextForRecipient", "Plaintext")
SERVICES = {
    "dynamodb": Service("dynamodb", "DynamoDB_20120810", "1.0", "DYNAMODB"),
    "sqs": Service("sqs", "AmazonSQS", "1.0", "SQS"),
    "events": Service("events", "AWSEvents", variable="EVENTBRIDGE"),
    "kms": Service("kms", "TrentService", variable="KMS", blobs=_OF_KMS),
    "secretsmanager": Service(
        "secretsmanager", "secretsmanager", variable="SECRETS_MANAGER", blobs=("SecretBinary",)
    ),
    "ssm": Service("ssm", "AmazonSSM", variable="SSM"),
}


@dataclass(frozen=True, slots=True)
class AwsJsonClient:
    """One service in one region; safe for threads."""

    service: Service
    http: AwsHttp

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        """The method of an operation, by boto3's name: `get_item` is the operation GetItem."""
        if method.startswith("_"):
            raise AttributeError(method)
        operation = "".join(part.capitalize() for part in method.split("_"))
        return lambda **request: self.call(operation, request)

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out an operation; raises ClientError, or a BotoCoreError without a response."""
        headers = {
            "Content-Type": f"application/x-amz-json-{self.service.version}",
            "X-Amz-Target": f"{self.service.target}.{operation}",
        }
        body = json.dumps(request, default=_sent, separators=(",", ":")).encode()
        response = self.http.send(_TARGET, headers, body, lambda refused: _error(refused, operation))
        found = _json(response)
        for name in self.service.blobs:
            if name in found:
                found[name] = b64decode(found[name])
        return found


def _error(response: urllib3.BaseHTTPResponse, operation: str) -> ClientError:
    found = _json(response)
    # SQS names the codes of its older protocol in a header, and botocore reports those.
    older = response.headers.get("x-amzn-query-error", "").partition(";")[0]
    code = older or str(found.pop("__type", response.status)).rpartition("#")[2]
    message = found.pop("message", found.pop("Message", ""))
    return ClientError(found | {"Error": {"Code": code, "Message": message}}, operation)  # type: ignore[arg-type]  # A document.


def _json(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    try:
        found = json.loads(response.data or b"{}")
    except ValueError:  # An error of a load balancer is HTML.
        found = {}
    return {**found, "ResponseMetadata": metadata(response)}


def metadata(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    """The part of a response that is the same for all services, as botocore names it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    request_id = headers.get("x-amzn-requestid") or headers.get("x-amz-request-id")
    return {"RequestId": request_id, "HTTPStatusCode": response.status, "HTTPHeaders": headers}


def _sent(value: Any) -> str | int:
    """Bytes and times as this protocol sends them."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return int(value.timestamp())
    raise TypeError(f"cannot send a {type(value).__name__}")
