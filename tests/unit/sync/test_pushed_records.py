from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.providers.seam import pseudonym
from bg_ingest.readings.saving import HourContended
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.job import JobStatus, Order
from bg_ingest.sync.orders.queue import pack
from bg_ingest.sync.state import Turn
from bg_ingest.webhooks.receive import WebhookRequest
from tests.simulation.provider import DAY, HOUR, MINUTE
from tests.support.fakes import NOON
from tests.unit.sync.stage import seen_at_once
from tests.unit.webhooks.stage import WebhookStage, payload, record

if TYPE_CHECKING:
    from bg_ingest.readings.stored.stored_reading import StoredReading
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.state import SyncState


def _sent(stage: WebhookStage, asked: WebhookRequest, webhook_id: str = "msg_1") -> Job:
    """Deliver a webhook and run its job."""
    stage.deliver(asked, webhook_id)
    (report,) = stage.work()
    assert report.job is not None
    return report.job


def _stored(stage: WebhookStage) -> list[StoredReading]:
    return list(stage.stores.reading_store.between("ada", NOON - 30 * DAY, NOON + DAY))


def _state(stage: WebhookStage) -> SyncState:
    state = stage.stores.states.get("ada")
    assert state is not None
    return state


def test_pushed_records_are_stored_with_all_members() -> None:
    """Units, local time, status and device are stored as by a sync."""
    stage = WebhookStage()
    job = _sent(
        stage,
        payload(
            record(NOON, 39, transmitterGeneration="g7", displayDevice="iOS", transmitterTicks=85273),
            record(NOON + 5 * MINUTE, 6.1, unit="mmol/L"),
        ),
    )

    low, converted = (stored.reading for stored in _stored(stage))
    assert (low.at, low.mg_dl, low.status, low.trend) == (NOON, 39, "low", "flat")
    assert (low.device.generation, low.device.display, low.transmitter_ticks) == ("g7", "iOS", 85273)
    assert (converted.mg_dl, converted.status) == (110, None)
    assert (job.status, job.counts.fetched, job.counts.stored) == (JobStatus.SUCCEEDED, 2, 2)
    assert job.window == (NOON, NOON + 5 * MINUTE + timedelta(seconds=1))


def test_the_unit_of_the_envelope_applies_to_all_records() -> None:
    """A unit that is given once is the unit of every record."""
    stage = WebhookStage()
    _sent(stage, payload(record(NOON, 6.1), unit="mmol/L"))

    assert [stored.reading.mg_dl for stored in _stored(stage)] == [110]


def test_an_invalid_pushed_record_does_not_affect_others() -> None:
    """The invalid record is counted with its reason, and stored in quarantine."""
    stage = WebhookStage()
    job = _sent(stage, payload(record(NOON), record(NOON + 5 * MINUTE, None), "nonsense", {}))

    assert (job.status, job.counts.fetched, job.counts.stored) == (JobStatus.SUCCEEDED, 4, 1)
    assert dict(job.counts.invalid) == {"value-missing": 1, "not-a-record": 1, "system-time-missing": 1}
    assert sorted(stage.quarantined) == ["not-a-record", "system-time-missing", "value-missing"]


def test_a_webhook_without_records_is_a_succeeded_job() -> None:
    """The sender gets a job without readings."""
    stage = WebhookStage()
    job = _sent(stage, payload())

    assert (job.status, job.counts.fetched, job.window) == (JobStatus.SUCCEEDED, 0, None)


def test_a_reading_from_poll_and_webhook_is_stored_once() -> None:
    """The result is the same for either order of arrival."""
    stage = WebhookStage(seen_at_once([NOON - 10 * MINUTE]))
    stage.sync()
    known = _stored(stage)
    job = _sent(stage, payload(record(NOON - 10 * MINUTE, 100, trend=known[0].reading.trend)))
    assert [stored.reading.at for stored in _stored(stage)] == [NOON - 10 * MINUTE]
    assert job.counts.stored == 0

    other = WebhookStage(seen_at_once([NOON - 10 * MINUTE]))
    _sent(other, payload(record(NOON - 10 * MINUTE, 100)))
    other.sync()
    assert [stored.reading.at for stored in _stored(other)] == [NOON - 10 * MINUTE]


@pytest.mark.parametrize("values", [(100, 120), (120, 100)])
def test_pushed_records_have_the_time_of_their_acceptance(values: tuple[int, int]) -> None:
    """Records that waited in the queue do not replace records that were sent later."""
    stage = WebhookStage()
    for value in values:
        stage.deliver(payload(record(NOON, value)), f"msg_{value}")
        stage.clock.advance(60)
    first, second = stage.queue
    for order in (second, first):
        stage.carry_out(order)
        stage.clock.advance(60)

    assert [stored.reading.mg_dl for stored in _stored(stage)] == [values[1]]


def test_pushed_records_do_not_wait_for_a_running_sync() -> None:
    """They are stored while a sync holds the lease, and the lease is not changed."""
    stage = WebhookStage()
    lease = stage.stores.states.take(stage.order())
    assert isinstance(lease, Turn)
    job = _sent(stage, payload(record(NOON)))

    assert job.status is JobStatus.SUCCEEDED
    assert stage.stored() == {NOON}
    assert stage.stores.states.end(lease, succeeded=True, data_until=None)


def test_pushed_records_are_not_a_successful_sync() -> None:
    """A webhook does not show whether polls work, so it does not change the time of the last sync."""
    stage = WebhookStage()
    before = _state(stage)
    _sent(stage, payload(record(NOON)))
    after = _state(stage)

    assert after == replace(before, data_until=NOON)


def test_a_pushed_reading_restores_the_poll_interval() -> None:
    """A new reading ends the slower polling; an old reading does not."""
    stage = WebhookStage()
    stage.clock.advance(2 * 86_400)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 3_600)
    now = stage.clock.now()
    _sent(stage, payload(record(now - 2 * DAY)), "old")
    assert _state(stage).slot == poll_slots.poll_slot("ada", 3_600)

    _sent(stage, payload(record(now - HOUR)))
    assert _state(stage).slot == poll_slots.poll_slot("ada", 900)
    assert _state(stage).data_until == now - HOUR
    _sent(stage, payload(record(now - 2 * HOUR)), "older")
    assert _state(stage).data_until == now - HOUR


def test_records_of_another_account_are_refused() -> None:
    """Readings of two accounts are not mixed; only a sync decides the account, and polling continues."""
    stage = WebhookStage()
    job = _sent(stage, payload(record(NOON), userId="somebody"), "before any sync")
    assert job.status is JobStatus.SUCCEEDED
    connection = stage.connections.get("ada")
    assert connection is not None
    assert connection.account is None

    stage.connections.note_account(connection, str(pseudonym("dexcom/account", "ada's")))
    job = _sent(stage, payload(record(NOON + HOUR), userId="somebody"), "after one")
    assert (job.status, job.failure and job.failure.type) == (JobStatus.FAILED, "account-changed")
    assert stage.stored() == {NOON}
    assert _state(stage).slot is not None
    assert _sent(stage, payload(record(NOON + HOUR), userId="ada's"), "theirs").status is JobStatus.SUCCEEDED


def test_records_for_a_disconnected_user_are_not_stored() -> None:
    """If the user disconnects while the job is queued, then the job fails."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    stage.connections.disconnect("ada")
    (report,) = stage.work()

    assert report.job is not None
    assert (report.job.status, report.job.failure and report.job.failure.type) == (
        JobStatus.FAILED,
        "not-connected",
    )
    assert [job.status for job in stage.jobs()] == [JobStatus.FAILED]
    assert stage.stored() == set()


def test_an_order_without_a_job_stores_nothing() -> None:
    """The user was erased, and may have connected again since."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    stage.deps().jobs.table.delete("ada", f"job#{order.job_id}")
    stage.work()

    assert stage.stored() == set()
    assert stage.jobs() == []


def test_a_repeated_message_of_a_webhook_is_run_once() -> None:
    """The second run finds the job finished, and its counts stay."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    first, second = stage.carry_out(order), stage.carry_out(order)

    assert first.job is not None
    assert second.job is not None
    assert first.job.counts == second.job.counts
    assert first.job.counts.stored == 1


@pytest.mark.parametrize("packed", [b"", b"nonsense", pack(b"{}"), pack(b'{"data": {"records": 7}}')])
def test_an_unreadable_payload_fails_its_job(packed: bytes) -> None:
    """The failure is not retryable, because a retry cannot succeed."""
    stage = WebhookStage()
    job = _sent(stage, WebhookRequest(payload=packed))

    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert (job.failure.type, job.failure.retryable) == ("unreadable", False)


def test_an_internal_failure_of_a_webhook_is_retried() -> None:
    """The job is deferred, and the queue delivers the message again."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    good = stage.stores

    class Contended:
        def save(self, *_: Any) -> Any:
            raise HourContended

    stage.stores = replace(good, reading_store=Contended())  # type: ignore[arg-type]  # It fails.
    with pytest.raises(HourContended):
        stage.carry_out(order)
    (job,) = stage.jobs()
    assert (job.status, job.failure and job.failure.type) == (JobStatus.DEFERRED, "internal")

    stage.stores = good
    stage.work()
    assert [job.status for job in stage.jobs()] == [JobStatus.SUCCEEDED]
    assert stage.stored() == {NOON}


def test_a_webhook_with_a_range_is_a_sync() -> None:
    """The range is fetched from the provider."""
    stage = WebhookStage(seen_at_once([NOON - 20 * DAY]))
    job = _sent(stage, WebhookRequest(window=(NOON - 20 * DAY, NOON - 19 * DAY)))

    assert (job.status, job.counts.stored) == (JobStatus.SUCCEEDED, 1)
    assert stage.stored() == {NOON - 20 * DAY}


def test_a_payload_whose_key_was_removed_fails_its_job() -> None:
    """The records are lost with their key, and a retry cannot succeed."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    key_id = str(order.payload).partition(".")[0]
    stage.deps().inbox.table.delete("ada", f"message#{key_id}")
    (report,) = stage.work()

    assert report.job is not None
    assert (report.job.status, report.job.failure and report.job.failure.type) == (
        JobStatus.FAILED,
        "unreadable",
    )
    assert stage.stored() == set()


@pytest.mark.parametrize("forged", [pack(b'{"data": {"records": []}}').hex(), "", "nonsense.AAAA"])
def test_an_unsealed_payload_is_not_stored(forged: str) -> None:
    """Write access to the queue alone forges no reading."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    report = stage.carry_out(replace(order, payload=forged))

    assert report.job is not None
    assert report.job.failure is not None
    assert (report.job.failure.type, stage.stored()) == ("unreadable", set())


def test_a_message_without_a_payload_is_readable() -> None:
    """Messages of an earlier version are still in the queue after a deployment."""
    stage = WebhookStage()
    message = stage.order().as_message()
    del message["sealed"]

    assert Order.from_message(message).payload is None
