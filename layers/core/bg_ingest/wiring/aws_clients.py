"""AWS clients, one of each per process; the calls are what makes a warm start warm."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from bg_ingest.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

# Three tries of at most two seconds to connect and five to answer fit into every function's timeout, and
# into what a sync keeps back for its last writes. Twenty connections: ten users at once, two calls each.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=20,
)


@cache
def dynamodb() -> DynamoDBClient:
    """DynamoDB, or what stands in for it at DYNAMODB_ENDPOINT."""
    client: DynamoDBClient = _client("dynamodb", settings().dynamodb_endpoint)
    return client


@cache
def sqs() -> SQSClient:
    """SQS."""
    client: SQSClient = _client("sqs")
    return client


@cache
def events() -> EventBridgeClient:
    """EventBridge."""
    client: EventBridgeClient = _client("events")
    return client


@cache
def kms() -> KMSClient:
    """KMS."""
    client: KMSClient = _client("kms")
    return client


@cache
def secrets() -> SecretsManagerClient:
    """Secrets Manager."""
    client: SecretsManagerClient = _client("secretsmanager")
    return client


def _client(service: str, endpoint: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - this is the place. The stubs want a literal.
        service, region_name=settings().aws_region, endpoint_url=endpoint, config=_CONFIG
    )
