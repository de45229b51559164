"""Response to an exception that a route did not expect: 503 if a retry can help, 500 if not."""

from __future__ import annotations

from http import HTTPStatus

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from bg_ingest import problems
from bg_ingest.dynamo import Unprocessed
from bg_ingest.problems import Problem
from bg_ingest.sync.orders.queue import QueueRefused

_RETRY_AFTER_S = 5  # The client has already made three attempts.
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionCanceledException",  # Raised only if no condition was refused.
    }
)


def problem_of(error: Exception) -> Problem:
    """Return the problem document that stands for an exception."""
    if _is_temporary(error):
        return Problem(problems.TEMPORARILY_UNAVAILABLE, headers={"Retry-After": str(_RETRY_AFTER_S)})
    return Problem(problems.INTERNAL)


def _is_temporary(error: Exception) -> bool:
    """Return whether a service of AWS throttled the request, failed with 5xx, or could not be reached."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in _THROTTLED or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, HTTPClientError | NoConnection | Unprocessed | QueueRefused)
