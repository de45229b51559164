"""What a caller is told of a failure on our side: to come back, where it passes by itself."""

from __future__ import annotations

from http import HTTPStatus

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from bg_ingest import problems
from bg_ingest.dynamo import Unprocessed
from bg_ingest.problems import Problem
from bg_ingest.sync.queue import QueueRefused

_RETRY_AFTER_S = 5  # botocore has tried three times by now.
_TOO_BUSY = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def problem_of(error: Exception) -> Problem:
    """The problem that a caller is shown instead of an exception."""
    if _is_temporary(error):
        return Problem(problems.TEMPORARILY_UNAVAILABLE, headers={"Retry-After": str(_RETRY_AFTER_S)})
    return Problem(problems.INTERNAL)


def _is_temporary(error: Exception) -> bool:
    """Whether a service of AWS was too busy, failed by itself, or could not be reached."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in _TOO_BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, HTTPClientError | NoConnection | Unprocessed | QueueRefused)
