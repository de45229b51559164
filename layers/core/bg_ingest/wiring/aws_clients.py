"""AWS clients, one per service and process; reusing them is what makes a warm start warm."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

# Three tries of at most two seconds to connect and five to answer fit into every function's timeout, and into
# the time a sync reserves for its last writes. Twenty connections: ten users at once, two calls each.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=20,
)


def dynamodb(region: str, endpoint: str | None = None) -> DynamoDBClient:
    """DynamoDB, or a replacement for it at an endpoint."""
    client: DynamoDBClient = _client("dynamodb", region, endpoint)
    return client


def sqs(region: str) -> SQSClient:
    """SQS."""
    client: SQSClient = _client("sqs", region)
    return client


def events(region: str) -> EventBridgeClient:
    """EventBridge."""
    client: EventBridgeClient = _client("events", region)
    return client


def kms(region: str) -> KMSClient:
    """KMS."""
    client: KMSClient = _client("kms", region)
    return client


def secrets(region: str) -> SecretsManagerClient:
    """Secrets Manager."""
    client: SecretsManagerClient = _client("secretsmanager", region)
    return client


@cache
def _client(service: str, region: str, endpoint: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - this is the place. The stubs want a literal.
        service, region_name=region, endpoint_url=endpoint, config=_CONFIG
    )
