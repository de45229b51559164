from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.sync.job import JobKind, JobStatus, Trigger
from bg_ingest.webhooks.receive import KEPT, PENDING_S_MAX, Reception, WebhookRequest, receive
from tests.contract.stepped import At, Crash, HalfWay, crash
from tests.simulation.provider import HOUR
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.unit.webhooks.stage import CALLS_MAX, ONE_READING, WebhookStage, payload, record

if TYPE_CHECKING:
    from bg_ingest.access.caller_limits import CallerLimit

RANGE = WebhookRequest(window=(NOON - HOUR, NOON))


class StoppedClock(FakeClock):
    """A clock that does not advance while a thread waits, so that only another thread ends the wait."""

    def sleep(self, wait_s: float) -> None:
        """Let the other threads run."""
        assert wait_s > 0
        Event().wait(0.001)


def _at(nth: int, seen: list[str]) -> At:
    """A process that crashes at its nth step."""

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


def test_a_webhook_becomes_a_queued_webhook_job() -> None:
    """The job is stored before it is run, with the correlation id of the request."""
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


def test_a_repeated_delivery_is_a_duplicate() -> None:
    """Until its claim expires, a repeated delivery creates neither a job nor a message."""
    stage = WebhookStage()
    stage.deliver()
    stage.clock.advance(KEPT.total_seconds() - 1)

    assert stage.deliver().reception is Reception.DUPLICATE
    assert (len(stage.jobs()), len(stage.queue)) == (1, 1)


def test_a_repetition_counts_as_fetched_when_first_accepted() -> None:
    """A delivery that continues a crashed one is as old as the first: it cannot undo a later correction."""
    stage = WebhookStage()
    first_at = stage.clock.now()
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(_at(_steps() - 4, [])))
    stage.clock.advance(3600)

    assert stage.deliver().reception is Reception.ACCEPTED
    assert {order.requested_at for order in stage.queue} == {first_at}


def test_message_ids_are_separate_for_each_user() -> None:
    """The same message id is a separate webhook for another user."""
    stage = WebhookStage()
    stage.deliver()

    assert stage.deliver(webhook_id="msg_2").reception is Reception.ACCEPTED
    assert stage.deps().inbox.find("bob", "msg_1") is None


def test_an_expired_webhook_is_accepted_again() -> None:
    """A claim is ignored after its expiry, even if TTL has not removed it."""
    stage = WebhookStage()
    stage.deliver()
    stage.clock.advance(KEPT.total_seconds())

    assert stage.deps().inbox.find("ada", "msg_1") is None
    assert stage.deliver().reception is Reception.ACCEPTED


def test_a_delivery_after_a_crash_makes_one_job() -> None:
    """After a crash at any step, a duplicate is reported only if the order was queued."""
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


def test_a_delivery_after_a_crash_keeps_the_jobs_counts() -> None:
    """If the job is already running, then the order is sent again and the job is not changed."""
    stage = WebhookStage()
    with pytest.raises(Crash):
        stage.deliver(RANGE, deps=stage.deps(At("after send", crash)))
    (job,) = stage.jobs()
    running = replace(job, status=JobStatus.DEFERRED, counts=replace(job.counts, fetched=7))
    stage.stores.jobs.save(running)
    stage.deliver(RANGE)

    assert stage.jobs() == [running]
    assert len(stage.queue) == 2


def test_a_finished_job_is_not_queued_again() -> None:
    """If the worker finishes before the next delivery, then no order is sent."""
    stage = WebhookStage()
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(At("after send", crash)))
    stage.work()

    assert stage.deliver().reception is Reception.ACCEPTED
    assert stage.queue == []


def test_concurrent_delivery_waits_then_returns_duplicate() -> None:
    """The second delivery is answered only after the first has queued its order."""
    stage, first = WebhookStage(), HalfWay("before send")
    first.start(lambda: stage.deliver(deps=stage.deps(first)).reception)

    class ResumingClock(FakeClock):
        def sleep(self, wait_s: float) -> None:
            super().sleep(wait_s)
            seen.append(len(stage.queue))
            first.finish()

    seen: list[int] = []
    second = stage.deliver(deps=stage.deps(clock=ResumingClock()))

    assert seen == [0]
    assert second.reception is Reception.DUPLICATE
    assert len(stage.queue) == 1


def test_a_delivery_that_waited_too_long_keeps_the_job_id() -> None:
    """If the first delivery is slow, then both are accepted, and there is one job."""
    stage, first = WebhookStage(), HalfWay("before send")
    first.start(lambda: stage.deliver(deps=stage.deps(first)).reception)
    second = stage.deliver()

    assert second.reception is Reception.ACCEPTED
    assert first.finish() is Reception.ACCEPTED
    assert sum(stage.clock.naps) == pytest.approx(PENDING_S_MAX, abs=0.2)
    assert len({order.job_id for order in stage.queue}) == len(stage.jobs()) == 1


def test_an_old_pending_claim_is_not_awaited() -> None:
    """The process that made the claim has crashed, so the next delivery is accepted at once."""
    stage = WebhookStage()
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(At("before send", crash)))
    stage.clock.advance(PENDING_S_MAX)

    assert stage.deliver().reception is Reception.ACCEPTED
    assert stage.clock.naps == []


def test_a_claim_from_the_future_is_awaited_for_limited_time() -> None:
    """If the clock of another process is ahead, then the wait ends by the own clock."""
    stage = WebhookStage()
    ahead = FakeClock(NOON + timedelta(days=1))
    with pytest.raises(Crash):
        stage.deliver(deps=stage.deps(At("before send", crash), ahead))

    assert stage.deliver().reception is Reception.ACCEPTED
    assert sum(stage.clock.naps) < PENDING_S_MAX + 0.2


def test_a_thousand_concurrent_deliveries_make_one_job() -> None:
    """One delivery is accepted, the others are duplicates, and concurrent workers store each reading once."""
    stage, clock = WebhookStage(), StoppedClock()
    request = payload(*(record(NOON - minutes * timedelta(minutes=5)) for minutes in range(50)))
    processes = [replace(stage.deps(clock=clock), limit=_generous(stage)) for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        received = list(
            threads.map(lambda n: stage.deliver(request, deps=processes[n % 16]).reception, range(1000))
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


def test_a_disconnected_user_is_unknown_to_the_webhook() -> None:
    """A webhook for a disconnected user is answered as for an unknown one, and nothing is written."""
    stage = WebhookStage()
    stage.connections.disconnect("ada")
    writes = stage.memory.writes

    assert stage.deliver().reception is Reception.UNKNOWN
    assert stage.memory.writes == writes
    assert stage.queue == []


def test_a_user_who_needs_reauth_is_known_to_the_webhook() -> None:
    """Data is accepted, because the user did not disconnect."""
    stage = WebhookStage()
    connection = stage.connections.get("ada")
    assert connection is not None
    stage.connections.mark_needs_reauth("ada", connection.generation)

    assert stage.deliver().reception is Reception.ACCEPTED


def test_the_limit_counts_new_webhooks_only() -> None:
    """Duplicates are not counted, and a rejected webhook is accepted after the limit's reset."""
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


def test_a_webhook_is_audited_once() -> None:
    """The sender is the actor, and a duplicate adds no audit entry."""
    stage = WebhookStage()
    stage.deliver()
    stage.deliver()
    (entry,) = stage.deps().audit.newest_first("ada")

    assert (entry.actor, entry.action) == ("sender-of-the-webhook", "POST /api/bg/{userId}/webhook")
    assert (entry.outcome, entry.correlation_id) == (AuditOutcome.DONE, "c")


def test_a_forged_claim_stays_with_its_user() -> None:
    """A claim that names the job of another user makes a job of its own user, and changes no other."""
    stage = WebhookStage()
    stage.deliver()
    (foreign,) = stage.jobs()
    deps = stage.deps()
    save_login(deps.connections, "eve", stage.endpoint, b"sealed", data_from=NOON)
    deps.inbox.claim("eve", "msg_2", foreign.order.job_id, "c")
    stage.clock.advance(PENDING_S_MAX)
    receive(deps, "eve", "msg_2", ONE_READING, "c")

    assert [order.user_id for order in stage.queue] == ["ada", "eve"]
    assert stage.jobs() == [foreign]
    assert deps.jobs.get("eve", foreign.order.job_id)


def test_an_order_is_queued_after_its_records_are_stored() -> None:
    """The audit entry, the job and the claim are stored first, for a crash at any step."""
    stage = WebhookStage()
    for nth in range(1, _steps() + 1):
        stage, seen = WebhookStage(), list[str]()
        with pytest.raises(Crash):
            stage.deliver(deps=stage.deps(_at(nth, seen)))
        deps = stage.deps()
        assert not stage.queue or list(deps.audit.newest_first("ada"))
        assert not stage.queue or deps.jobs.get("ada", stage.queue[0].job_id)
        assert not stage.queue or deps.inbox.find("ada", "msg_1")


def test_an_order_keeps_its_payload_and_hides_it_in_repr() -> None:
    """The message contains the sealed payload, and no repr does."""
    stage = WebhookStage()
    stage.deliver()
    (order,) = stage.queue

    assert type(order).from_message(order.as_message()) == order
    assert order.payload
    assert str(order.payload) not in repr(order)
    assert str(order.payload) not in repr(ONE_READING)
