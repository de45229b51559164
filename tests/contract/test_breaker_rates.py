"""The shared breaker under measured failure rates: many processes, seeded chance, one DynamoDB in memory."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from tests.support.fakes import FakeClock
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.exhaustive
HOST = "https://api.provider.test"
# The largest fleet of worker processes, with ten calls a second each.
LARGEST = pytest.param(111, 10, marks=pytest.mark.integration)


@dataclass
class Fleet:
    """Processes that each make calls at a steady rate, for ten accounts per process."""

    processes: int
    calls_per_s: int
    seed: int
    clock: FakeClock = field(default_factory=FakeClock)
    client: DynamoDBClient = field(default_factory=MemoryDynamo.client)
    made: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        """Start the processes."""
        self._chance = random.Random(self.seed)  # noqa: S311 - not for secrets.
        table = Table(self.client, "users")
        self._breakers = [SharedBreaker(table, self.clock, HOST) for _ in range(self.processes)]

    @property
    def writes(self) -> int:
        """All requests that wrote, accepted or rejected."""
        return self.client.writes  # type: ignore[attr-defined, no-any-return] # the one in memory counts.

    @property
    def refused_share(self) -> float:
        """The share of all calls that the breaker refused."""
        return self.refused / (self.refused + self.made)

    def run(self, seconds: float, failure_rate: float) -> None:
        """Make the calls of some seconds, evenly over time."""
        for tick in range(round(seconds * self.calls_per_s)):
            for number, breaker in enumerate(self._breakers):
                permit = breaker.permit(f"{number}-{tick % 10}")
                if not permit.allowed:
                    self.refused += 1
                    continue
                self.made += 1
                if self._chance.random() < failure_rate:
                    breaker.failed(permit)
                    breaker.share()
                else:
                    breaker.succeeded(permit)
                    if permit.prober:
                        breaker.share()
            self.clock.advance(1 / self.calls_per_s)

    def seconds_until_refused(self, failure_rate: float, seconds_max: int = 120) -> float:
        """The seconds until no call is admitted for a whole second."""
        for second in range(seconds_max):
            made = self.made
            self.run(1, failure_rate)
            if self.made == made:
                return second
        return float("inf")


@pytest.mark.parametrize("failure_rate", [0.1, 0.2])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.integration) for n in (1, 2))])
def test_scattered_failures_refuse_under_one_percent(failure_rate: float, seed: int) -> None:
    """Five processes with 8 calls a second each and 10 or 20 % failures refuse fewer than 1 % of them."""
    fleet = Fleet(5, 8, seed)

    fleet.run(300, failure_rate)

    assert fleet.refused_share < 0.01


def test_scattered_failures_of_many_processes() -> None:
    """111 processes with 20 % failures refuse fewer than 1 % of their calls, also in the first second."""
    fleet = Fleet(111, 10, 0)

    fleet.run(20, 0.2)

    assert fleet.refused_share < 0.01


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(2))
def test_two_percent_in_many_processes_never_opens(seed: int) -> None:
    """111 processes with 10 calls a second each and 2 % failures refuse nothing, for at most 111 writes/s."""
    fleet = Fleet(111, 10, seed)

    fleet.run(30, 0.02)

    assert fleet.refused == 0
    assert fleet.writes <= 30 * 111 / 2 * 2


def test_no_failures_write_nothing() -> None:
    """Without a failure the breaker writes nothing."""
    fleet = Fleet(20, 10, 0)

    fleet.run(20, 0.0)

    assert (fleet.refused, fleet.writes) == (0, 0)


@pytest.mark.parametrize(("processes", "calls_per_s"), [(1, 2), (5, 8), LARGEST])
@pytest.mark.parametrize("before", [0.0, 0.02, 0.2])
def test_outage_opens_in_seconds_and_recovers(processes: int, calls_per_s: int, before: float) -> None:
    """When every call fails, calls stop within seconds; when the host answers, one probe admits all."""
    fleet = Fleet(processes, calls_per_s, 0)
    fleet.run(20, before)
    assert fleet.refused == 0

    assert fleet.seconds_until_refused(1.0) <= (30 if processes == 1 else 10)
    made = fleet.made
    fleet.run(60, 1.0)
    assert fleet.made - made <= 3

    fleet.run(33, 0.0)
    refused = fleet.refused
    fleet.run(10, 0.0)
    assert fleet.refused == refused


@pytest.mark.parametrize("before", [0.0, 0.02, 0.2])
@pytest.mark.parametrize(("processes", "calls_per_s"), [(5, 8), LARGEST])
def test_half_dead_provider_opens(processes: int, calls_per_s: int, before: float) -> None:
    """A provider that fails 60 % of the calls is not called any more within seconds."""
    fleet = Fleet(processes, calls_per_s, 0)
    fleet.run(20, before)

    assert fleet.seconds_until_refused(0.6) <= 20
