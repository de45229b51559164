"""
Requests to one service of AWS, with second tries.

A request is tried three times, as by botocore's standard mode: after a throttled call, a server error and a
lost connection, with a random pause. A process whose calls mostly fail stops trying again. The exceptions are
botocore's.
"""

from __future__ import annotations

import os
import random
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from urllib3 import exceptions as http_errors

from bg_ingest.aws.signature import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import urllib3

    from bg_ingest.aws.signature import Signer, Target
    from bg_ingest.clock import Clock

TRIES_MAX = 3
_BUDGET, _COST = 500, 5
_TRANSIENT = {
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_TRIED_AGAIN = {
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}


@dataclass(slots=True)
class RetryBudget:
    """What a process may still spend on further tries; a success gives back the cost of its last one."""

    left: int = _BUDGET
    _lock: Lock = field(default_factory=Lock, repr=False)

    def spend(self) -> bool:
        """Take the cost of one more try; False if too little is left."""
        with self._lock:
            if self.left < _COST:
                return False
            self.left -= _COST
        return True

    def earn(self, gain: int) -> None:
        """Note a success."""
        with self._lock:
            self.left = min(self.left + gain, _BUDGET)


@dataclass(frozen=True, slots=True)
class AwsHttp:
    """The connections to one service; safe for threads."""

    endpoint: str
    signer: Signer
    clock: Clock
    pool: urllib3.PoolManager
    retries: RetryBudget = field(default_factory=RetryBudget)

    def send(
        self,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
        error_of: Callable[[urllib3.BaseHTTPResponse], ClientError],
    ) -> urllib3.BaseHTTPResponse:
        """Return the response of success; raises the error of another one, or a BotoCoreError without one."""
        for tries in range(1, TRIES_MAX + 1):
            try:
                response = self._try(target, headers, body)
            except (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError):
                if tries == TRIES_MAX or not self.retries.spend():
                    raise
            else:
                if response.status < HTTPStatus.MULTIPLE_CHOICES:
                    self.retries.earn(1 if tries == 1 else _COST)
                    return response
                error = error_of(response)
                if tries == TRIES_MAX or not _passes(error, response.status) or not self.retries.spend():
                    raise error
            self.clock.sleep(random.random() * 2 ** (tries - 1))  # noqa: S311 - not for security.
        raise AssertionError  # The last try returns or raises.

    def _try(self, target: Target, headers: Mapping[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        host = {"Host": urlsplit(self.endpoint).netloc}
        signed = self.signer.headers(target, {**headers, **host}, sha256(body).hex(), self.clock.now())
        query = f"?{target.query_text}" if target.query else ""
        try:
            response = self.pool.request(
                target.method, f"{self.endpoint}{target.path}{query}", body=body, headers=signed | _trace()
            )
        except http_errors.NewConnectionError as error:
            raise EndpointConnectionError(endpoint_url=self.endpoint, error=error) from None
        except http_errors.ConnectTimeoutError:
            raise ConnectTimeoutError(endpoint_url=self.endpoint) from None
        except http_errors.ReadTimeoutError:
            raise ReadTimeoutError(endpoint_url=self.endpoint) from None
        except http_errors.HTTPError:
            raise ConnectionClosedError(endpoint_url=self.endpoint) from None
        checksum = response.headers.get("x-amz-crc32")
        if checksum is not None and int(checksum) != zlib.crc32(response.data):
            raise ConnectionClosedError(endpoint_url=self.endpoint)  # A part of it is missing or has changed.
        return response


def _passes(error: ClientError, status: int) -> bool:
    return status in _TRANSIENT or error.response["Error"]["Code"] in _TRIED_AGAIN


def _trace() -> dict[str, str]:
    """The trace of this invocation, by which Lambda finds functions that call each other without end."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")  # noqa: TID251 - Lambda changes it for each invocation.
    return {"X-Amzn-Trace-Id": quote(trace, safe="-=;:+&[]{}\"',")} if trace else {}
