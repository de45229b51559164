"""The monthly cost of a thousand users, from the measurements and AWS's list prices."""

# Prices of us-east-1 in US dollars, without a free tier. The sources:
#   DynamoDB on demand   airbyte.com/data-engineering-resources/dynamodb-pricing (July 2025)
#   Lambda on arm64      cloudchipr.com/blog/aws-lambda-pricing; aws.amazon.com/lambda/pricing
#   SQS, fair queues     cloudburn.io/blog/amazon-sqs-pricing (March 2026)
# Other assumptions are constants here and are listed in the report.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import cost, fleet, throughput, wired
from benchmarks.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTION = "A month of 1,000 users, polled every 15 minutes"
TOGETHER, PROVISIONED = "together", "together, with TableCapacity=provisioned"
USERS, DAYS = 1_000, 30
POLLS = USERS * DAYS * cost.POLLS_PER_DAY
TICKS = DAYS * 24 * 60

WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
# Provisioned capacity per hour, used to 70 percent: the target of the tables' scaling policies.
UTILISATION = 0.7
PROVISIONED_WRITE_UNIT = 0.00065 / 3_600 / UTILISATION
PROVISIONED_READ_UNIT = 0.00013 / 3_600 / UTILISATION
SQS_CALL = 0.40e-6 + 0.10e-6  # A message group makes a standard queue a fair one, for a surcharge.
KMS_REQUEST = 3e-6
INVOCATION, GB_SECOND = 0.20e-6, 13.3334e-6
LOGGED_GB, STORED_GB = 0.50, 0.25

MEMORY_GB = 0.5  # As in template.yaml.
CPU_SHARE = 512 / 1_769  # Lambda gives a whole vCPU with 1,769 MB.
DEXCOM_MS = 300.0  # An answer of the provider.
DYNAMODB_MS = 5.0  # A call of DynamoDB.
BATCH = 10  # Messages for one invocation: a tick of 1,000 users has 67.
INVOCATION_MS = 2.0  # The runtime's own overhead.
LOG_LINE_BYTES = (
    500  # The log of the worker about one poll, with its share of the metrics and Lambda's lines.
)

ASSUMED = f"""\
Assumed: list prices of us-east-1 (benchmarks/price.py names their sources), without a free tier. An answer of
Dexcom takes {DEXCOM_MS:.0f} ms and a call of DynamoDB {DYNAMODB_MS:.0f} ms. {MEMORY_GB * 1024:.0f} MB are
{CPU_SHARE:.2f} of a vCPU, which is as fast as the yardstick's reference. A worker gets {BATCH} messages
at a time and processes them in as many threads. The log of a poll has {LOG_LINE_BYTES:,} bytes. Not included:
storage (90 days of a user are some 2 MB: half a dollar for all of them), publishing, KMS's keys, requests
of callers, the network. With provisioned capacity the tables are used to {UTILISATION:.0%}.
"The plain way" has a message and an invocation for each poll.
"""


@dataclass(frozen=True, slots=True)
class Design:
    """The resources that a design needs for a poll."""

    writes: float
    reads: float
    calls: float
    cpu_ms: float
    batch: int
    kms_requests: float

    @property
    def billed_ms(self) -> float:
        """Return Lambda's time for one invocation: threads wait at the same time and share the CPU."""
        waits_ms = DEXCOM_MS + self.calls * DYNAMODB_MS
        return INVOCATION_MS + waits_ms + self.batch * self.cpu_ms / CPU_SHARE

    def lines(self) -> dict[str, float]:
        """Return the lines of the bill."""
        invocations = POLLS / self.batch
        return {
            "DynamoDB, written": POLLS * self.writes * WRITE_UNIT,
            "DynamoDB, read": POLLS * self.reads * READ_UNIT,
            # Each message is sent, received and deleted, in batches of the size that is processed at once.
            "SQS": 3 * invocations * SQS_CALL,
            "Lambda": invocations * (INVOCATION + self.billed_ms / 1_000 * MEMORY_GB * GB_SECOND),
            "KMS": POLLS * self.kms_requests * KMS_REQUEST,
            "logs": POLLS * LOG_LINE_BYTES / 1e9 * LOGGED_GB,
        }


def bill(measured: Sequence[Measured], slowness: float) -> list[Measured]:
    """Return the monthly bill of both designs; times of a slow machine are converted to the reference's."""
    found = {line.what: line for line in measured}
    ours = _design(found, slowness, plain=False)
    plain = _design(found, slowness, plain=True)
    schedule = _schedule(found, slowness)
    bills = [design.lines() | {"schedule": schedule} for design in (ours, plain)]
    lines = [
        Measured(SECTION, "messages", POLLS, "messages", None, POLLS),
        Measured(SECTION, "invocations of the worker", POLLS / BATCH, "invocations", None, POLLS),
        Measured(SECTION, "one invocation", ours.billed_ms, "ms", None, plain.billed_ms),
        *(Measured(SECTION, name, bills[0][name], "USD", None, bills[1][name]) for name in bills[0]),
    ]
    total, plain_total = (sum(one.values()) for one in bills)
    saved, plain_saved = (_saved_if_provisioned(one) for one in bills)
    return [
        *lines,
        Measured(SECTION, TOGETHER, total, "USD", None, plain_total),
        Measured(SECTION, PROVISIONED, total - saved, "USD", None, plain_total - plain_saved),
    ]


def _saved_if_provisioned(lines: dict[str, float]) -> float:
    written, read = lines["DynamoDB, written"], lines["DynamoDB, read"]
    return written * (1 - PROVISIONED_WRITE_UNIT / WRITE_UNIT) + read * (
        1 - PROVISIONED_READ_UNIT / READ_UNIT
    )


def _design(found: dict[str, Measured], slowness: float, *, plain: bool) -> Design:
    def of(what: str) -> float:
        line = found[what]
        value = line.beside if plain else line.value
        assert value is not None, f"{what} has no plain way beside it"  # noqa: S101 - only a bug can.
        return value

    def more(what: str) -> float:
        """Return what the plain design needs more of for a poll: the two differ in the readings only."""
        line = found[what]
        return (line.beside or 0.0) - line.value if plain else 0.0

    return Design(
        writes=found[wired.WRITES].value + more(cost.POLLED_WRITES) / cost.POLLS_PER_DAY,
        reads=found[wired.READS].value + more(cost.POLLED_READS) / cost.POLLS_PER_DAY,
        calls=found[wired.CALLS].value + more(cost.POLLED_CALLS),
        cpu_ms=of(throughput.POLL_CPU) / slowness,
        batch=1 if plain else BATCH,
        kms_requests=found[wired.KMS_REQUESTS].value,
    )


def _schedule(found: dict[str, Measured], slowness: float) -> float:
    a_day = {what: found[f"{USERS:,} users: {what}"].value for what in (fleet.READ, fleet.WRITTEN, fleet.CPU)}
    units = a_day[fleet.READ] * READ_UNIT + a_day[fleet.WRITTEN] * WRITE_UNIT
    billed_s = (INVOCATION_MS + a_day[fleet.CPU] / slowness / CPU_SHARE) / 1_000
    return DAYS * units + TICKS * (INVOCATION + billed_s * MEMORY_GB * GB_SECOND)
