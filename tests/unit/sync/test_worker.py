from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.clock import new_id
from bg_ingest.sync.job import JobKind, Order, SyncResult, Trigger
from bg_ingest.sync.orders import queue
from bg_ingest.sync.orders.queue import JobsQueue, QueueRefused
from bg_ingest.sync.worker import (
    WAIT_S_MAX,
    Delivery,
    DeliveryResult,
    deferral_s,
    handle_delivery,
    own_failure_delay_s,
)
from tests.support.fakes import NOON, FakeClock


@dataclass
class RecordingSqs:
    """An SQS client that records messages and visibility timeouts; the first sends may be refused."""

    refusals: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Accept the entries, except the first one while sends are refused."""
        refused, taken = (Entries[:1], Entries[1:]) if self.refusals else ([], Entries)
        self.refusals = max(self.refusals - 1, 0)
        self.sent += [{**json.loads(entry["MessageBody"]), "delay": entry["DelaySeconds"]} for entry in taken]
        return {"Failed": [{"Id": entry["Id"]} for entry in refused]}

    def change_message_visibility(self, *, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803 - boto3's.
        """Record the timeout."""
        self.hidden.append(VisibilityTimeout)


ORDER = Order("ada", new_id(NOON), JobKind.BACKFILL, Trigger.CONNECTION, "id")


def _work(
    sqs: RecordingSqs, report: SyncResult | Exception, order: Order = ORDER, body: str | None = None
) -> DeliveryResult:
    def sync(_: Order) -> SyncResult:
        if isinstance(report, Exception):
            raise report
        return report

    message = json.dumps(order.as_message()) if body is None else body
    queue = JobsQueue(cast("Any", sqs), "queue")
    return handle_delivery(
        Delivery("1", "receipt", message, 2),
        sync=sync,
        jobs_queue=queue,
        clock=FakeClock(),
        jitter=lambda: 0.5,
    )


def test_a_finished_message_is_deleted() -> None:
    """No message is sent, and none is kept."""
    sqs = RecordingSqs()
    assert (_work(sqs, SyncResult(None)).keep, sqs.sent, sqs.hidden) == (False, [], [])


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"user_id": "ada"}', "null"])
def test_an_unreadable_message_goes_to_the_dead_letters(body: str) -> None:
    """It is visible again without a delay, until the queue moves it to the dead letters."""
    sqs = RecordingSqs()
    assert (_work(sqs, SyncResult(None), body=body).keep, sqs.hidden) == (True, [0])


def test_a_deferred_order_is_a_new_message() -> None:
    """The new message counts its own deferrals, so that an outage makes no dead letters."""
    sqs = RecordingSqs()
    assert not _work(sqs, SyncResult(None, retry_in_s=0.0), replace(ORDER, deferrals=3)).keep
    assert [(sent["deferrals"], sent["delay"], sent["not_before"]) for sent in sqs.sent] == [(4, 60, None)]


def test_a_long_delay_is_kept_by_the_visibility_timeout() -> None:
    """A message delivered before the provider's Retry-After has passed is hidden until then."""
    sqs = RecordingSqs()
    _work(sqs, SyncResult(None, retry_in_s=5_000.0))
    (sent,) = sqs.sent
    assert sent["delay"] == 900

    again = Order.from_message(sent)
    assert again.not_before is not None
    assert again.not_before >= NOON + timedelta(seconds=5_000)
    assert _work(sqs, SyncResult(None), again).keep
    assert sqs.hidden == [5_002]


def test_a_rest_is_sent_to_the_end_of_the_queue() -> None:
    """The rest is sent without a delay and with a new count of deferrals."""
    sqs = RecordingSqs()
    rest = replace(ORDER, window=(NOON - timedelta(days=1), NOON))
    assert not _work(sqs, SyncResult(None, rest=rest), replace(ORDER, deferrals=7)).keep
    assert Order.from_message(sqs.sent[0]) == rest


def test_a_message_that_failed_internally_is_hidden() -> None:
    """The message is retried after a delay, and becomes a dead letter after the last attempt."""
    sqs = RecordingSqs()
    with pytest.raises(ZeroDivisionError):
        _work(sqs, ZeroDivisionError())

    assert (sqs.sent, sqs.hidden) == ([], [180])


def test_a_message_is_kept_if_its_rest_cannot_be_sent() -> None:
    """The error of the queue is raised, so the message is delivered again."""
    with pytest.raises(QueueRefused):
        _work(RecordingSqs(refusals=3), SyncResult(None, rest=ORDER))


def test_a_refused_message_is_sent_again() -> None:
    """Of twenty-five orders all are sent exactly once, although one was refused twice."""
    sqs = RecordingSqs(refusals=2)
    JobsQueue(cast("Any", sqs), "queue").send(replace(ORDER, user_id=str(number)) for number in range(25))

    assert sorted(int(sent["user_id"]) for sent in sqs.sent) == list(range(25))


def test_a_message_refused_three_times_raises_an_error() -> None:
    """The other messages are sent, and QueueRefused is raised."""
    sqs = RecordingSqs(refusals=3)
    with pytest.raises(QueueRefused, match="1 orders"):
        JobsQueue(cast("Any", sqs), "queue").send(replace(ORDER, user_id=str(number)) for number in range(11))

    assert len(sqs.sent) == 10


@pytest.mark.parametrize(("received", "failed"), [(4, []), (5, [5]), (6, [6])])
def test_the_last_delivery_ends_the_job(received: int, failed: list[int]) -> None:
    """The message then becomes a dead letter, even if the end of the job cannot be stored."""
    seen: list[int] = []

    def fail_job(_: Order, deliveries: int) -> None:
        seen.append(deliveries)
        raise LookupError

    def sync(_: Order) -> SyncResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle_delivery(
            Delivery("1", "receipt", json.dumps(ORDER.as_message()), received),
            sync=sync,
            fail_job=fail_job,
            jobs_queue=JobsQueue(cast("Any", RecordingSqs()), "queue"),
            clock=FakeClock(),
            jitter=lambda: 0.5,
        )

    assert seen == failed


SPREAD = st.floats(min_value=0, max_value=1, exclude_max=True)
NEARLY_ONE = 1 - 1e-6
TIMES = st.integers(min_value=0, max_value=1_000)
HOUR_S = 3_600


@given(TIMES, SPREAD, st.floats(min_value=0, max_value=60_000))
def test_a_deferral_is_never_shorter_than_retry_after(times: int, spread: float, asked_s: float) -> None:
    """The delay is at least Retry-After, up to the longest visibility timeout."""
    assert int(min(asked_s, WAIT_S_MAX)) <= deferral_s(times, spread, asked_s) <= WAIT_S_MAX


def test_a_deferral_is_within_the_visibility_timeout() -> None:
    """SQS allows twelve hours; the limit is less than a minute below that."""
    assert 12 * HOUR_S - 60 < WAIT_S_MAX < 12 * HOUR_S
    assert deferral_s(0, 0.0, 13 * HOUR_S) == WAIT_S_MAX


@given(TIMES, SPREAD)
def test_a_deferral_without_retry_after_is_a_message_delay(times: int, spread: float) -> None:
    """SQS delays a new message by at most a quarter of an hour."""
    assert 5 <= deferral_s(times, spread, 0) <= queue.DELAY_S_MAX


def test_deferrals_grow_up_to_a_limit() -> None:
    """The delays double from ten seconds to a quarter of an hour, and half of each is random."""
    shortest, longest = ([deferral_s(times, spread, 0) for times in range(9)] for spread in (0.0, NEARLY_ONE))

    assert shortest == [5, 10, 20, 40, 80, 160, 320, 450, 450]
    assert longest == [9, 19, 39, 79, 159, 319, 639, 899, 899]


def test_equal_retry_after_times_are_spread() -> None:
    """A random time is added to Retry-After, as large as without it."""
    assert [deferral_s(3, spread, 600) for spread in (0.0, 0.5, NEARLY_ONE)] == [600, 620, 639]


def test_internal_failures_are_retried_for_an_hour() -> None:
    """The delays after the first four of five attempts add up to 40 to 80 minutes."""
    shortest, longest = (
        [own_failure_delay_s(received, spread) for received in range(1, 6)] for spread in (0.0, NEARLY_ONE)
    )

    assert shortest == [30, 120, 480, 1_800, 1_800]
    assert longest == [59, 239, 959, 3_599, 3_599]


@pytest.mark.parametrize("spread", [-0.5, 1.0])
def test_a_random_part_outside_0_to_1_is_refused(spread: float) -> None:
    """Any other value is an error of the caller."""
    with pytest.raises(AssertionError):
        deferral_s(0, spread, 0)
    with pytest.raises(AssertionError):
        own_failure_delay_s(1, spread)
