"""AWS clients, one per service and process; reusing them is what makes a warm start warm."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.exceptions import NoCredentialsError

from bg_ingest.aws.aws_http import AwsHttp
from bg_ingest.aws.aws_json import SERVICES, AwsJsonClient
from bg_ingest.aws.signature import Credentials, Signer
from bg_ingest.clock import SystemClock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from bg_ingest.aws.s3_client import S3Client

# Three tries (aws_http.py) of at most two seconds to connect and five to answer fit into every function's
# timeout, and into the time a sync reserves for its last writes. Twenty connections: ten users at once, two
# calls each.
_CONNECTIONS_MAX = 20
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 2.0, 5.0
# Written by the layer's build: Amazon's five roots load in a millisecond, a whole bundle in twenty.
ROOTS = Path(__file__).parent / "amazon_roots.pem"


def dynamodb(region: str, endpoint: str | None = None) -> DynamoDBClient:
    """DynamoDB, or a replacement for it at an endpoint."""
    client: DynamoDBClient = client_of("dynamodb", region, endpoint)
    return client


def sqs(region: str) -> SQSClient:
    """SQS."""
    client: SQSClient = client_of("sqs", region)
    return client


def events(region: str) -> EventBridgeClient:
    """EventBridge."""
    client: EventBridgeClient = client_of("events", region)
    return client


def kms(region: str) -> KMSClient:
    """KMS."""
    client: KMSClient = client_of("kms", region)
    return client


def secrets(region: str) -> SecretsManagerClient:
    """Secrets Manager."""
    client: SecretsManagerClient = client_of("secretsmanager", region)
    return client


def parameters(region: str) -> Any:
    """The parameter store of Systems Manager."""
    return client_of("ssm", region)


@cache
def s3(region: str) -> S3Client:
    """S3, or a replacement for it, which need not know a host for each bucket."""
    from bg_ingest.aws.s3_client import S3Client as Client  # noqa: PLC0415 - few functions need its XML.

    http = _http("s3", "S3", region)
    return Client(http, by_host=_domain(region) in http.endpoint)


@cache
def client_of(service: str, region: str, endpoint: str | None = None) -> Any:
    """The client of a service that speaks JSON."""
    known = SERVICES[service]
    return AwsJsonClient(known, _http(known.host, known.variable, region, endpoint))


def _http(host: str, variable: str, region: str, endpoint: str | None = None) -> AwsHttp:
    read = os.environ.get  # noqa: TID251 - AWS's own.
    named = endpoint or read(f"AWS_ENDPOINT_URL_{variable}") or read("AWS_ENDPOINT_URL")
    where = (named or f"https://{host}.{region}.{_domain(region)}").rstrip("/")
    return AwsHttp(where, Signer(_credentials(), host, region), SystemClock(), pool(region))


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _credentials() -> Credentials:
    """The role's session of this environment: Lambda sets it once, for the environment's whole life."""
    read = os.environ.get  # noqa: TID251 - AWS's own.
    key_id, secret = read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")
    if not key_id or not secret:
        raise NoCredentialsError
    return Credentials(key_id, secret, read("AWS_SESSION_TOKEN"))


@cache
def pool(region: str) -> urllib3.PoolManager:
    """The connections to all services of a region."""
    # An operator may set another bundle, and the endpoints in China have certificates of other authorities.
    bundle = os.environ.get("AWS_CA_BUNDLE")  # noqa: TID251 - AWS's own.
    if bundle is None and not region.startswith("cn-") and ROOTS.exists():
        bundle = str(ROOTS)
    return urllib3.PoolManager(
        maxsize=_CONNECTIONS_MAX,
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        retries=False,
        cert_reqs="CERT_REQUIRED",
        ca_certs=bundle,
    )
