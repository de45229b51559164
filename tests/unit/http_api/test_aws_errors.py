"""What callers are told when something behind us fails."""

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
from bg_ingest.sync.queue import QueueRefused

NOWHERE = "https://dynamodb.invalid"


def refused(code: str, status: int = 400) -> ClientError:
    """An answer of AWS that is an error."""
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
def test_what_passes_by_itself_is_worth_another_try(error: Exception) -> None:
    """503, and when to come back."""
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
def test_what_is_ours_to_mend_does_not_ask_anybody_to_repeat_it(error: Exception) -> None:
    """500: it would fail again."""
    problem = problem_of(error)

    assert problem.kind is problems.INTERNAL
    assert not problem.headers
