from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.providers.pseudonym import pseudonym
from bg_ingest.readings.saving import HourContended
from bg_ingest.sync import poll_slots
from bg_ingest.sync.job import JobStatus, Order
from bg_ingest.sync.pushed_records import pack
from bg_ingest.sync.state import Lease
from bg_ingest.webhooks.receive import WebhookRequest
from tests.simulation.provider import DAY, HOUR, MINUTE
from tests.support.fakes import NOON
from tests.unit.sync.stage import seen_at_once
from tests.unit.webhooks.stage import WebhookStage, payload, record

if TYPE_CHECKING:
    from bg_ingest.readings.stored_reading import StoredReading
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.state import SyncState


def _sent(stage: WebhookStage, asked: WebhookRequest, webhook_id: str = "msg_1") -> Job:
    """A webhook came, and was carried out."""
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


def test_what_was_brought_is_stored_with_all_it_came_with() -> None:
    """As if a sync had fetched it: units, wall clock, status, device."""
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


def test_the_envelope_counts_as_in_an_answer() -> None:
    """Units that are said once are every record's."""
    stage = WebhookStage()
    _sent(stage, payload(record(NOON, 6.1), unit="mmol/L"))

    assert [stored.reading.mg_dl for stored in _stored(stage)] == [110]


def test_a_record_that_is_no_reading_costs_no_other() -> None:
    """It is counted with its reason, and kept in quarantine."""
    stage = WebhookStage()
    job = _sent(stage, payload(record(NOON), record(NOON + 5 * MINUTE, None), "nonsense", {}))

    assert (job.status, job.counts.fetched, job.counts.stored) == (JobStatus.SUCCEEDED, 4, 1)
    assert dict(job.counts.invalid) == {"value-missing": 1, "not-a-record": 1, "system-time-missing": 1}
    assert sorted(stage.quarantined) == ["not-a-record", "system-time-missing", "value-missing"]


def test_no_records_are_a_job_without_any() -> None:
    """The sender is told that it was taken."""
    stage = WebhookStage()
    job = _sent(stage, payload())

    assert (job.status, job.counts.fetched, job.window) == (JobStatus.SUCCEEDED, 0, None)


def test_what_a_poll_has_is_a_duplicate_and_the_other_way_round() -> None:
    """One reading, whichever way it came first."""
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
def test_it_counts_as_fetched_when_it_was_accepted(values: tuple[int, int]) -> None:
    """What waited in the queue does not override what was sent after it."""
    stage = WebhookStage()
    for value in values:
        stage.deliver(payload(record(NOON, value)), f"msg_{value}")
        stage.clock.advance(60)
    first, second = stage.queue
    for order in (second, first):
        stage.carry_out(order)
        stage.clock.advance(60)

    assert [stored.reading.mg_dl for stored in _stored(stage)] == [values[1]]


def test_it_waits_for_no_sync() -> None:
    """While somebody holds the lease, and without disturbing them."""
    stage = WebhookStage()
    lease = stage.stores.states.take(stage.order())
    assert isinstance(lease, Lease)
    job = _sent(stage, payload(record(NOON)))

    assert job.status is JobStatus.SUCCEEDED
    assert stage.stored() == {NOON}
    assert stage.stores.states.release(lease, succeeded=True, data_until=None)


def test_it_is_no_successful_sync() -> None:
    """That a provider sends says nothing about whether polls still work."""
    stage = WebhookStage()
    before = _state(stage)
    _sent(stage, payload(record(NOON)))
    after = _state(stage)

    assert after == replace(before, data_until=NOON)


def test_whoever_had_gone_quiet_is_polled_at_full_pace_again() -> None:
    """With the first reading that comes back, whichever way it comes."""
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


def test_another_account_is_refused_and_polling_goes_on() -> None:
    """Two people's readings must not become one history; which account is theirs only a sync decides."""
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


def test_whoever_disconnected_meanwhile_gets_nothing() -> None:
    """Nor does a redelivery find another answer."""
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


def test_an_order_whose_job_is_gone_is_from_a_life_before() -> None:
    """Its user was erased, and may have come back."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    stage.deps().jobs.table.delete("ada", f"job#{order.job_id}")
    stage.work()

    assert stage.stored() == set()
    assert stage.jobs() == []


def test_a_message_that_comes_twice_is_carried_out_once() -> None:
    """The second finds the job over, and its counts stay."""
    stage = WebhookStage()
    stage.deliver(payload(record(NOON)))
    (order,) = stage.queue
    first, second = stage.carry_out(order), stage.carry_out(order)

    assert first.job is not None
    assert second.job is not None
    assert first.job.counts == second.job.counts
    assert first.job.counts.stored == 1


@pytest.mark.parametrize("packed", ["", "nonsense", pack(b"{}"), pack(b'{"data": {"records": 7}}')])
def test_what_cannot_be_read_ends_its_job(packed: str) -> None:
    """A person has to look; trying again cannot help."""
    stage = WebhookStage()
    job = _sent(stage, WebhookRequest(payload=packed))

    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert (job.failure.type, job.failure.retryable) == ("unreadable", False)


def test_a_failure_of_ours_is_tried_again() -> None:
    """The job says so, and the queue hands the message out once more."""
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


def test_a_range_is_synced_as_any_other() -> None:
    """The provider is asked for it."""
    stage = WebhookStage(seen_at_once([NOON - 20 * DAY]))
    job = _sent(stage, WebhookRequest(window=(NOON - 20 * DAY, NOON - 19 * DAY)))

    assert (job.status, job.counts.stored) == (JobStatus.SUCCEEDED, 1)
    assert stage.stored() == {NOON - 20 * DAY}


def test_messages_of_before_are_still_read() -> None:
    """A queue outlives a deployment."""
    stage = WebhookStage()
    message = stage.order().as_message()
    del message["brought"]

    assert Order.from_message(message).payload is None
