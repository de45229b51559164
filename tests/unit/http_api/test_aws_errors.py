"""Responses to failures of AWS."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from bg_ingest import problems
from bg_ingest.dynamo import Unprocessed
from bg_ingest.http_api.aws_errors import problem_of
from bg_ingest.sync.orders.queue import QueueRefused

NOWHERE = "https://dynamodb.invalid"


def refused(code: str, status: int = 400) -> ClientError:
    """Return an error response of AWS."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Query")


@pytest.mark.parametrize(
    "error",
    [
        refused("ProvisionedThroughputExceededException"),
        refused("ThrottlingException"),
        refused("RequestThrottled"),
        refused("InternalServerError", 500),
        refused("ServiceUnavailable", 503),
        Unprocessed("3 items were left 8 times"),
        QueueRefused("1 of 10 messages"),
        EndpointConnectionError(endpoint_url=NOWHERE),
        ConnectTimeoutError(endpoint_url=NOWHERE),
        ReadTimeoutError(endpoint_url=NOWHERE),
    ],
    ids=repr,
)
def test_a_temporary_aws_error_is_503(error: Exception) -> None:
    """The response says when to retry."""
    problem = problem_of(error)

    assert problem.kind is problems.TEMPORARILY_UNAVAILABLE
    assert int(problem.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "error",
    [
        refused("ResourceNotFoundException"),
        refused("AccessDeniedException"),
        refused("ValidationException"),
        KeyError("sk"),
    ],
    ids=repr,
)
def test_a_permanent_aws_error_is_500(error: Exception) -> None:
    """A retry would fail again, so the response has no Retry-After."""
    problem = problem_of(error)

    assert problem.kind is problems.INTERNAL
    assert not problem.headers
