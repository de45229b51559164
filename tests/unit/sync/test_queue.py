import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.clock import new_id
from bg_ingest.sync.dispatching.shard import Shard
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.orders.queue import (
    JobsQueue,
    PayloadUnreadable,
    QueueRefused,
    ShardsQueue,
    pack,
    parse_body,
    parse_order,
    unpack,
)
from bg_ingest.sync.windows import BACKFILL_WINDOW
from tests.support.fakes import NOON

KIB_256 = 256 * 1024


def body_of(length: int) -> bytes:
    """A valid body of this length."""
    frame = b'{"data": {"x": "%s"}}'
    return frame % (b"y" * (length - len(frame % b"")))


@given(st.lists(st.text() | st.integers() | st.floats(allow_nan=False)))
def test_a_packed_payload_is_unpacked_unchanged(records: list[object]) -> None:
    """Any records are unpacked unchanged."""
    assert unpack(pack(json.dumps({"data": {"records": records}}).encode())) == {"records": records}


def test_the_longest_payload_is_unpacked_unchanged() -> None:
    """A body of 256 KiB is within the limit."""
    body = body_of(KIB_256)

    assert len(body) == KIB_256
    assert unpack(pack(body)) == json.loads(body)["data"]


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not compressed",
        pack(b"no JSON"),
        pack(b"[]"),
        pack(b"{}"),
        pack(b'{"data": 7}'),
    ],
)
def test_an_invalid_packed_payload_is_unreadable(packed: bytes) -> None:
    """A payload that is not what was packed raises PayloadUnreadable."""
    with pytest.raises(PayloadUnreadable):
        unpack(packed)


@pytest.mark.parametrize("length", [KIB_256 + 1, 10**8])
def test_a_payload_beyond_the_limit_is_unreadable(length: int) -> None:
    """A byte more than the limit, and what a small message can grow to."""
    packed = pack(body_of(length))

    with pytest.raises(PayloadUnreadable):
        unpack(packed)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000, b"\xef\xbb\xbf{}"])
def test_an_invalid_json_body_raises_value_error(body: bytes) -> None:
    """Truncated, deeply nested or wrongly encoded JSON raises ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - ValueError is the documented class.
        parse_body(body)


MINUTE = timedelta(minutes=1)
REQUESTED = Order("ada", new_id(NOON), JobKind.INCREMENTAL, Trigger.API, "id")
SHARD = Shard(JobKind.RECONCILE, 300, 0, 0, 1, 2, at_s=3, delay_s=7, correlation_id="id")


@dataclass
class SqsOfManyQueues:
    """An SQS client that records its calls; with `refuses_all` it accepts no message."""

    refuses_all: bool = False
    batches: list[dict[str, Any]] = field(default_factory=list)
    hidden: list[dict[str, Any]] = field(default_factory=list)

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        """Record the batch."""
        self.batches.append(call)
        return {"Failed": [{"Id": entry["Id"]} for entry in call["Entries"]]} if self.refuses_all else {}

    def change_message_visibility(self, **call: Any) -> None:
        """Record the call."""
        self.hidden.append(call)


def three_queues(sqs: SqsOfManyQueues) -> JobsQueue:
    """The queues of a deployment."""
    return JobsQueue(cast("Any", sqs), "https://sqs/jobs", "https://sqs/polls", "https://sqs/bulk")


@pytest.mark.parametrize(
    ("order", "queue"),
    [
        (REQUESTED, "jobs"),
        (replace(REQUESTED, trigger=Trigger.WEBHOOK), "jobs"),
        (replace(REQUESTED, trigger=Trigger.SCHEDULE), "polls"),
        (replace(REQUESTED, window=(NOON - BACKFILL_WINDOW, NOON)), "jobs"),
        (replace(REQUESTED, window=(NOON - BACKFILL_WINDOW - MINUTE, NOON)), "bulk"),
        (replace(REQUESTED, kind=JobKind.BACKFILL), "bulk"),
        (replace(REQUESTED, kind=JobKind.RECONCILE, trigger=Trigger.SCHEDULE), "bulk"),
    ],
)
def test_each_kind_of_work_has_its_queue(order: Order, queue: str) -> None:
    """A deployment with one queue sends all of them there."""
    sqs = SqsOfManyQueues()
    three_queues(sqs).send([order])
    JobsQueue(cast("Any", sqs), "https://sqs/one").send([order])

    assert [batch["QueueUrl"] for batch in sqs.batches] == [f"https://sqs/{queue}", "https://sqs/one"]


def test_a_message_holds_its_order() -> None:
    """The group of the message is the user, so that many messages of one user do not delay the others."""
    sqs = SqsOfManyQueues()
    JobsQueue(cast("Any", sqs), "https://sqs/one").send([REQUESTED])
    JobsQueue(cast("Any", sqs), "https://sqs/one").send([REQUESTED], delay_s=7)

    (at_once,), (later,) = (batch["Entries"] for batch in sqs.batches)
    assert parse_order(at_once.pop("MessageBody")) == REQUESTED
    assert at_once == {"Id": "0", "DelaySeconds": 0, "MessageGroupId": "ada"}
    assert later["DelaySeconds"] == 7


def test_orders_of_one_kind_share_their_calls() -> None:
    """A batch has at most ten messages, and an accepted one is not sent again."""
    sqs = SqsOfManyQueues()
    JobsQueue(cast("Any", sqs), "https://sqs/one").send([REQUESTED] * 11)

    assert [len(batch["Entries"]) for batch in sqs.batches] == [10, 1]


@pytest.mark.parametrize(("name", "queue"), [("polls", "polls"), ("bulk", "bulk"), ("", "jobs")])
def test_a_message_is_hidden_in_its_own_queue(name: str, queue: str) -> None:
    """The queue is found by the name that Lambda says; without a name it is the interactive one."""
    sqs = SqsOfManyQueues()
    three_queues(sqs).hide("receipt", 60, name)
    three_queues(sqs).hide("receipt", 60)

    call = {"ReceiptHandle": "receipt", "VisibilityTimeout": 60}
    assert sqs.hidden == [
        call | {"QueueUrl": f"https://sqs/{queue}"},
        call | {"QueueUrl": "https://sqs/jobs"},
    ]


def test_a_shard_is_sent_with_its_delay() -> None:
    """The second step of the dispatcher reads the same shard."""
    sqs = SqsOfManyQueues()
    ShardsQueue(cast("Any", sqs), "https://sqs/shards").send([SHARD])

    (batch,) = sqs.batches
    (entry,) = batch["Entries"]
    assert batch["QueueUrl"] == "https://sqs/shards"
    assert Shard.from_message(json.loads(entry["MessageBody"])) == SHARD
    assert entry["DelaySeconds"] == SHARD.delay_s


def test_a_shard_that_is_refused_three_times_raises() -> None:
    """The error says how many shards were refused."""
    sqs = SqsOfManyQueues(refuses_all=True)
    with pytest.raises(QueueRefused, match=r"^1 shards were rejected 3 times$"):
        ShardsQueue(cast("Any", sqs), "https://sqs/shards").send([SHARD])

    assert len(sqs.batches) == 3
