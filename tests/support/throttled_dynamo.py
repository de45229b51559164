"""DynamoDB in memory that refuses a share of all calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.support.memory_dynamo import MemoryDynamo


@dataclass
class ThrottledDynamo:
    """A DynamoDB that refuses some calls, which are those left after the client's own retries."""

    memory: MemoryDynamo
    chance: Random
    rate: float = 0.0

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if self.chance.random() < self.rate:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, operation)
        call: Callable[..., Any] = getattr(self.memory, operation)
        return call
