from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.audit import Audit, AuditOutcome
from bg_ingest.sync.job import JobKind, JobStatus, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.webhooks.inbox import KEPT, Inbox
from bg_ingest.webhooks.receive import PENDING_S_MAX, Reception, WebhookRequest
from tests.contract.stepped import At, Crash, HalfWay, crash
from tests.simulation.provider import HOUR
from tests.support.fakes import NOON, FakeClock
from tests.unit.webhooks.stage import CALLS_MAX, ONE_READING, WebhookStage, payload, record

if TYPE_CHECKING:
    from bg_ingest.access.caller_limits import CallerLimit

RANGE = WebhookRequest(window=(NOON - HOUR, NOON))


class StandingClock(FakeClock):
    """Time does not pass while somebody waits: only what others do ends the wait."""

    def sleep(self, wait_s: float) -> None:
        """Let the others go on."""
        assert wait_s > 0
        Event().wait(0.001)


def _at(nth: int, seen: list[str]) -> At:
    """Dies at the nth step of all."""

    class _Nth(At):
        def __call__(self, step: str) -> None:
            seen.append(step)
            if len(seen) == nth:
                crash()

    return _Nth("", crash)


def _steps() -> int:
    stage, seen = WebhookStage(), list[str]()
    stage.deliver(deps=stage.deps(seen.append))
    return len(seen)


def test_a_webhook_becomes_a_job_of_its_own_trigger() -> None:
    """Known before it is done, with the id of the request."""
    stage = WebhookStage()
    received = stage.deliver(RANGE)

    assert (received.reception, received.correlation_id) == (Reception.ACCEPTED, "c")
    (job,) = stage.jobs()
    assert (job.status, job.order.kind, job.order.trigger) == (
        JobStatus.QUEUED,
        JobKind.INCREMENTAL,
        Trigger.WEBHOOK,
    )
    assert (job.window, job.order.correlation_id) == (RANGE.window, "c")
    assert [order.job_id for order in stage.queue] == [job.order.job_id]


def test_the_same_again_is_a_duplicate_and_does_nothing() -> None:
    """Neither a job nor a message, and for as long as it is remembered."""
    stage = WebhookStage()
    stage.deliver()
    stage.clock.advance(KEPT.total_seconds() - 1)

    assert stage.deliver().reception is Reception.DUPLICATE
    assert (len(stage.jobs()), len(stage.queue)) == (1, 1)


def test_another_id_or_another_user_is_another_webhook() -> None:
    """An id is its sender's, about one user."""
    stage = WebhookStage()
    stage.deliver()

    assert stage.deliver(webhook_id="msg_2").reception is Reception.ACCEPTED
    assert stage.deps().inbox.find("bob", "msg_1") is None


def test_a_webhook_is_forgotten_in_the_end() -> None:
    """Long after anybody sends it again; also before TTL has removed it."""
    stage = WebhookStage()
    stage.deliver()
    stage.clock.advance(KEPT.total_seconds())

    assert stage.deps().inbox.find("ada", "msg_1") is None
    assert stage.deliver().reception is Reception.ACCEPTED


def test_wherever_it_dies_the_next_delivery_makes_it_one_job_with_its_reading() -> None:
    """No answer says "duplicate" while the work is not safe."""
    steps = _steps()
    assert steps > 10
    for nth in range(1, steps + 1):
        stage, seen = WebhookStage(), list[str]()
        with pytest.raises(Crash):
            stage.deliver(deps=stage.deps(_at(nth, seen)))
        safe_before = bool(stage.queue)
        again = stage.deliver()
        if again.reception is Reception.DUPLICATE:
            assert safe_before, f"died {seen[-1]}"
        stage.work()

        (job,) = stage.jobs()
        assert (job.status, job.counts.stored) == (JobStatus.SUCCEEDED, 1), f"died {seen[-1]}"
        assert stage.stored() == {NOON}
        assert stage.deliver().reception is Reception.DUPLICATE


def test_a_job_that_runs_already_keeps_what_it_has_counted() -> None:
    """It died before it said so; the next delivery sends the order again and leaves the job alone."""
    stage = WebhookStage()
    with pytest.raises(Crash):
        stage.deliver(RANGE, deps=stage.deps(At("after send", crash)))
    (job,) = stage.jobs()
    running = replace(job, status=JobStatus.DEFERRED, counts=replace(job.counts, fetched=7))
    stage.stores.jobs.save(running)
    stage.deliver(RANGE)

    assert stage.jobs() == [running]
    assert len(stage.queue) == 2


def test_a_job_that_is_over_is_not_ordered_again() -> None:
    """The worker was quicker than the sender's next delivery."""
    stage = WebhookStage()
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(At("after send", crash)))
    stage.work()

    assert stage.deliver().reception is Reception.ACCEPTED
    assert stage.queue == []


def test_who_comes_while_it_is_being_taken_in_waits_and_is_told_it_is_a_duplicate() -> None:
    """Once the work is safe, and not before."""
    stage, first = WebhookStage(), HalfWay("before send")
    first.start(lambda: stage.deliver(deps=stage.deps(first)).reception)

    class Waiting(FakeClock):
        def sleep(self, wait_s: float) -> None:
            super().sleep(wait_s)
            seen.append(len(stage.queue))
            first.finish()

    seen: list[int] = []
    second = stage.deliver(deps=stage.deps(clock=Waiting()))

    assert seen == [0]
    assert second.reception is Reception.DUPLICATE
    assert len(stage.queue) == 1


def test_who_waited_long_enough_goes_on_under_the_same_job() -> None:
    """The first was only slow: both are accepted, and there is one job."""
    stage, first = WebhookStage(), HalfWay("before send")
    first.start(lambda: stage.deliver(deps=stage.deps(first)).reception)
    second = stage.deliver()

    assert second.reception is Reception.ACCEPTED
    assert first.finish() is Reception.ACCEPTED
    assert sum(stage.clock.naps) == pytest.approx(PENDING_S_MAX, abs=0.2)
    assert len({order.job_id for order in stage.queue}) == len(stage.jobs()) == 1


def test_what_has_been_pending_for_long_is_not_waited_for() -> None:
    """Whoever began it is dead."""
    stage = WebhookStage()
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(At("before send", crash)))
    stage.clock.advance(PENDING_S_MAX)

    assert stage.deliver().reception is Reception.ACCEPTED
    assert stage.clock.naps == []


def test_a_clock_that_is_ahead_makes_nobody_wait_for_ever() -> None:
    """The wait ends by our own clock as well."""
    stage = WebhookStage()
    ahead = FakeClock(NOON + timedelta(days=1))
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(At("before send", crash), ahead))

    assert stage.deliver().reception is Reception.ACCEPTED
    assert sum(stage.clock.naps) < PENDING_S_MAX + 0.2


def test_a_thousand_deliveries_by_sixteen_threads_are_one_job_and_one_set_of_readings() -> None:
    """One is accepted and the others are duplicates; the order is carried out by many workers at once."""
    stage, clock = WebhookStage(), StandingClock()
    asked = payload(*(record(NOON - minutes * timedelta(minutes=5)) for minutes in range(50)))
    desks = [replace(stage.deps(clock=clock), limit=_generous(stage)) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        received = list(
            threads.map(lambda n: stage.deliver(asked, deps=desks[n % 16]).reception, range(1000))
        )
        reports = list(threads.map(stage.carry_out, stage.queue * 3))

    assert received.count(Reception.ACCEPTED) == 1
    assert received.count(Reception.DUPLICATE) == 999
    (job,) = stage.jobs()
    assert (job.status, job.counts.fetched) == (JobStatus.SUCCEEDED, 50)
    assert {report.job.order.job_id for report in reports if report.job} == {job.order.job_id}
    assert len(stage.stored()) == 50
    assert len(list(stage.stores.reading_store.between("ada", NOON - 24 * HOUR, NOON + HOUR))) == 50


def _generous(stage: WebhookStage) -> CallerLimit:
    limit = stage.deps().limit
    return replace(limit, policy=replace(limit.policy, calls_max=10_000))


def test_nobody_and_whoever_disconnected_are_unknown_alike() -> None:
    """Whoever ended their connection said that nothing more is to come in; nothing is written either."""
    stage = WebhookStage()
    stage.connections.disconnect("ada")
    writes = stage.memory.writes

    assert stage.deliver().reception is Reception.UNKNOWN
    assert stage.memory.writes == writes
    assert stage.queue == []


def test_whoever_has_to_log_in_again_is_known() -> None:
    """They did not say no; it is our tokens that are refused."""
    stage = WebhookStage()
    connection = stage.connections.get("ada")
    assert connection is not None
    stage.connections.mark_needs_reauth("ada", connection.generation)

    assert stage.deliver().reception is Reception.ACCEPTED


def test_too_many_are_refused_and_repetitions_do_not_count() -> None:
    """What was refused is no duplicate later."""
    stage = WebhookStage()
    for number in range(CALLS_MAX):
        assert stage.deliver(webhook_id=f"msg_{number}").reception is Reception.ACCEPTED
        assert stage.deliver(webhook_id=f"msg_{number}").limit_status is None
    refused = stage.deliver(webhook_id="msg_more")

    assert refused.reception is Reception.LIMITED
    assert refused.limit_status is not None
    assert len(stage.queue) == CALLS_MAX
    stage.clock.advance(60)
    assert stage.deliver(webhook_id="msg_more").reception is Reception.ACCEPTED


def test_a_webhook_is_in_the_audit_and_a_repetition_is_not() -> None:
    """It writes to a person's data, and is by somebody else."""
    stage = WebhookStage()
    stage.deliver()
    stage.deliver()
    (entry,) = stage.deps().audit.newest_first("ada")

    assert (entry.actor, entry.action) == ("sender-of-the-webhook", "POST /api/bg/{userId}/webhook")
    assert (entry.outcome, entry.correlation_id) == (AuditOutcome.DONE, "c")


def test_nothing_is_queued_that_is_not_recorded() -> None:
    """The entry comes first."""
    stage = WebhookStage()
    for nth in range(1, _steps() + 1):
        stage, seen = WebhookStage(), list[str]()
        with pytest.raises(Crash):
            stage.deliver(deps=stage.deps(_at(nth, seen)))
        users = stage.deps().inbox.table
        assert not stage.queue or list(Audit(users, stage.clock, 365).newest_first("ada"))
        assert not stage.queue or Jobs(users, stage.clock).get("ada", stage.queue[0].job_id)
        assert not stage.queue or Inbox(users, stage.clock).find("ada", "msg_1")


def test_the_order_travels_whole_and_shows_nothing() -> None:
    """What it brought is in the message and in no repr."""
    stage = WebhookStage()
    stage.deliver()
    (order,) = stage.queue

    assert type(order).from_message(order.as_message()) == order
    assert order.payload == ONE_READING.payload
    assert str(order.payload) not in repr(order)
    assert str(order.payload) not in repr(ONE_READING)
