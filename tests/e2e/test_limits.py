"""A caller's limit is exact under concurrent calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.dynamo import Table
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_THREADS = 16


def _table(cloud: Stack) -> Table:
    client: Any = boto3.client(  # noqa: TID251 - there is no wiring here.
        "dynamodb",
        endpoint_url=cloud.aws_endpoint,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=_THREADS),
    )
    return Table(client, cloud.intake_table)


def test_concurrent_calls_succeed_exactly_up_to_the_limit(cloud: Stack) -> None:
    """Of a hundred calls in sixteen threads, exactly the seven allowed ones succeed."""
    limit = CallerLimit(_table(cloud), FakeClock(), LimitPolicy(f"e2e-{uuid4().hex}", 7, 60))
    with ThreadPoolExecutor(_THREADS) as threads:
        standings = list(threads.map(lambda _: limit.take("ada"), range(100)))

    assert sum(standing.accepted for standing in standings) == 7
    assert sorted(standing.remaining for standing in standings if standing.accepted) == list(range(7))


def test_the_answer_states_the_remaining_calls(caller: Any) -> None:
    """The deployed function returns the number of remaining calls."""
    eve: Api = caller("eve")
    first, second = (eve.post("/api/bg/eve/connection").headers for _ in range(2))

    assert first["ratelimit-policy"] == '"connection";q=20;w=3600'
    assert first["ratelimit"].startswith('"connection";r=19;t=')
    assert second["ratelimit"].startswith('"connection";r=18;t=')
