"""AWS clients, one per service and process; reusing them is what makes a warm start warm."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from bg_ingest.wiring.aws.item_parser import ItemParserFactory

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


# Written by the layer's build, from trim_models.py: the operations that are called, and Amazon's roots.
MODELS = Path(__file__).parent.parent / "models"


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


@cache
def s3(region: str) -> Any:
    """S3; links are signed with version 4, the only one that all regions accept."""
    # Its model is not trimmed, since no function needs it at its start.
    config = _CONFIG.merge(Config(signature_version="s3v4"))
    return Session().create_client("s3", region_name=region, config=config)


def secrets(region: str) -> SecretsManagerClient:
    """Secrets Manager."""
    client: SecretsManagerClient = _client("secretsmanager", region)
    return client


def parameters(region: str) -> Any:
    """The parameter store of Systems Manager."""
    return _client("ssm", region)


@cache
def _client(service: str, region: str, endpoint: str | None = None) -> Any:
    trimmed = (MODELS / service).is_dir()
    session = _session(trimmed=trimmed)
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        config=_CONFIG,
        verify=_roots(session, region) if trimmed else None,
    )


@cache
def _session(*, trimmed: bool) -> Session:
    """A session of botocore; boto3's needs 60 ms of CPU more, for features that are not used here."""
    session = Session()
    session.register_component("response_parser_factory", ItemParserFactory())
    if trimmed:
        loader = Loader([str(MODELS)], include_default_search_paths=False)
        session.register_component("data_loader", loader)
    return session


def _roots(session: Session, region: str) -> str | None:
    """Amazon's five roots, which load in a millisecond instead of twenty; None for botocore's own bundle."""
    # An operator may set another bundle, and the endpoints in China have certificates of other authorities.
    if session.get_config_variable("ca_bundle") or region.startswith("cn-"):
        return None
    return str(MODELS / "amazon_roots.pem")
