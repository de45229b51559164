from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from bg_ingest.ids import new_id
from bg_ingest.sync.job import JobKind, Order, SyncResult, Trigger
from bg_ingest.sync.queue import JobsQueue, QueueRefused
from bg_ingest.sync.worker import Delivery, DeliveryResult, handle_delivery
from tests.support.fakes import NOON, FakeClock


@dataclass
class Sqs:
    """What was sent and hidden; the first sends may be refused."""

    refusals: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """All but the first of each batch, as long as it refuses."""
        refused, taken = (Entries[:1], Entries[1:]) if self.refusals else ([], Entries)
        self.refusals = max(self.refusals - 1, 0)
        self.sent += [{**json.loads(entry["MessageBody"]), "delay": entry["DelaySeconds"]} for entry in taken]
        return {"Failed": [{"Id": entry["Id"]} for entry in refused]}

    def change_message_visibility(self, *, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803 - boto3's.
        """Remember."""
        self.hidden.append(VisibilityTimeout)


ORDER = Order("ada", new_id(NOON), JobKind.BACKFILL, Trigger.CONNECTION, "id")


def _work(
    sqs: Sqs, report: SyncResult | Exception, order: Order = ORDER, body: str | None = None
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


def test_what_is_done_is_gone() -> None:
    """Nothing follows, nothing stays."""
    sqs = Sqs()
    assert (_work(sqs, SyncResult(None)).keep, sqs.sent, sqs.hidden) == (False, [], [])


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"user_id": "ada"}', "null"])
def test_a_message_nobody_can_read_becomes_a_dead_letter_at_once(body: str) -> None:
    """It is shown again without a wait, until the queue gives it up."""
    sqs = Sqs()
    assert (_work(sqs, SyncResult(None), body=body).keep, sqs.hidden) == (True, [0])


def test_what_the_provider_keeps_waiting_is_a_new_message() -> None:
    """With its own count of deferrals, so that no outage makes a dead letter of it."""
    sqs = Sqs()
    assert not _work(sqs, SyncResult(None, retry_in_s=0.0), replace(ORDER, deferrals=3)).keep
    assert [(sent["deferrals"], sent["delay"], sent["not_before"]) for sent in sqs.sent] == [(4, 60, None)]


def test_a_longer_patience_than_a_message_can_have_is_kept_by_hiding() -> None:
    """Who comes back before the time the provider named is hidden until then."""
    sqs = Sqs()
    _work(sqs, SyncResult(None, retry_in_s=5_000.0))
    (sent,) = sqs.sent
    assert sent["delay"] == 900

    again = Order.from_message(sent)
    assert again.not_before is not None
    assert again.not_before >= NOON + timedelta(seconds=5_000)
    assert _work(sqs, SyncResult(None), again).keep
    assert sqs.hidden == [5_002]


def test_a_rest_goes_to_the_end_of_the_queue() -> None:
    """As it is, at once, and with a fresh count."""
    sqs = Sqs()
    rest = replace(ORDER, window=(NOON - timedelta(days=1), NOON))
    assert not _work(sqs, SyncResult(None, rest=rest), replace(ORDER, deferrals=7)).keep
    assert Order.from_message(sqs.sent[0]) == rest


def test_a_failure_of_ours_stays_and_is_hidden() -> None:
    """The queue counts it, and in the end it is among the dead letters for a person to look at."""
    sqs = Sqs()
    with pytest.raises(ZeroDivisionError):
        _work(sqs, ZeroDivisionError())

    assert (sqs.sent, sqs.hidden) == ([], [180])


def test_a_message_is_not_given_up_before_its_rest_is_in_the_queue() -> None:
    """A queue that refuses is a failure of ours: the message stays."""
    with pytest.raises(QueueRefused):
        _work(Sqs(refusals=3), SyncResult(None, rest=ORDER))


def test_what_sqs_refuses_is_sent_again_and_holds_up_nobody() -> None:
    """Of twenty-five orders all arrive, each once, though one was refused twice."""
    sqs = Sqs(refusals=2)
    JobsQueue(cast("Any", sqs), "queue").send(replace(ORDER, user_id=str(number)) for number in range(25))

    assert sorted(int(sent["user_id"]) for sent in sqs.sent) == list(range(25))


def test_a_batch_that_is_refused_for_good_does_not_keep_back_the_others() -> None:
    """The rest is sent, and whoever asked is told."""
    sqs = Sqs(refusals=3)
    with pytest.raises(QueueRefused, match="1 orders"):
        JobsQueue(cast("Any", sqs), "queue").send(replace(ORDER, user_id=str(number)) for number in range(11))

    assert len(sqs.sent) == 10


@pytest.mark.parametrize(("received", "failed"), [(4, []), (5, [5]), (6, [6])])
def test_the_last_delivery_ends_the_job(received: int, failed: list[int]) -> None:
    """After it the message becomes a dead letter, even if the end of the job cannot be stored."""
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
            jobs_queue=JobsQueue(cast("Any", Sqs()), "queue"),
            clock=FakeClock(),
            jitter=lambda: 0.5,
        )

    assert seen == failed
