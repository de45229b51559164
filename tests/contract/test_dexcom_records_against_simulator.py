from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dexcom_sim.faults import (
    ClockDrift,
    DstChange,
    Duplicates,
    ExtraMembers,
    LateUploads,
    MissingMembers,
    MmolUnits,
    OddValues,
    PluralRecordType,
    RevisedValues,
    TimeStrings,
    UnknownEnums,
    Unordered,
)
from tests.contract.dexcom_caller import DAY, HOUR, connected

if TYPE_CHECKING:
    from dexcom_sim.faults import Fault


def test_history_of_100_days_is_four_calls() -> None:
    """A hundred days are read with four calls, and every reading is there one time."""
    caller = connected()

    readings = caller.readings(caller.now - 100 * DAY, caller.now)

    instants = [reading.at for reading in readings]
    assert caller.calls == 4
    assert len(instants) == len(set(instants)) > 25_000
    assert {reading.local_offset_minutes for reading in readings} == {-420, -360}


@pytest.mark.parametrize("delay", [HOUR, 3 * HOUR, 14 * DAY])
def test_late_upload_appears_in_data_range(delay: timedelta) -> None:
    """Readings that are uploaded late are read afterwards, and dataRange has their first instant."""
    caller = connected()
    held_at = caller.now
    caller.order(LateUploads(delay_s=int(delay.total_seconds())))

    caller.clock.advance(delay.total_seconds() - 60.0)
    first = caller.oauth.refresh(caller.tokens.refresh_token)
    assert caller.client.egvs(first.access_token, held_at, caller.now).readings == ()

    caller.clock.advance(7200.0)
    token = caller.oauth.refresh(first.refresh_token).access_token
    assert len(caller.client.egvs(token, held_at, held_at + HOUR).readings) >= 11
    uploaded = caller.client.data_range(token, caller.now - 2 * HOUR).egvs
    assert uploaded is not None
    assert held_at < uploaded.start < held_at + HOUR


def test_revised_values_are_read() -> None:
    """Revised readings have the same instants and other values."""
    caller = connected()
    before = caller.readings()
    caller.order(RevisedValues(by_mg_dl=7, share=0.5))

    after = caller.readings()

    assert [reading.at for reading in after] == [reading.at for reading in before]
    changed = sum(one.mg_dl != other.mg_dl for one, other in zip(before, after, strict=True))
    assert 0.3 < changed / len(before) < 0.7


def test_phone_and_receiver_report_one_measurement() -> None:
    """Both records are read, with the same transmitter and the same ticks."""
    caller = connected()
    alone = caller.readings()
    caller.order(Duplicates(apart_s=7))

    both = caller.egvs().readings
    named = {(reading.device.transmitter, reading.transmitter_ticks) for reading in both}

    assert {reading.device.display for reading in both} == {"iOS", "receiver"}
    assert len(both) > 1.9 * len(alone)
    assert len(named) <= len(alone) + 1  # One copy may have moved into the window.


def test_unordered_list_has_the_same_readings() -> None:
    """The order of the records does not change the readings."""
    caller = connected()
    ordered = caller.readings()
    caller.order(Unordered())

    assert set(caller.egvs().readings) == set(ordered)


def test_unknown_enum_values_are_kept() -> None:
    """An unknown string is kept unchanged, and an empty one becomes None."""
    caller = connected()
    caller.order(UnknownEnums())

    readings = caller.readings()

    assert {reading.device.generation for reading in readings} == {"g6 pro", "g715day", "g8"}
    assert {reading.trend for reading in readings} == {"tripleUp", "FLAT", None}


@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_missing_member_becomes_none(how: str) -> None:
    """A member that is absent, null or empty becomes None."""
    caller = connected()
    caller.order(MissingMembers.model_validate({"how": how}))

    for reading in caller.readings():
        assert (reading.status, reading.trend, reading.trend_rate) == (None, None, None)
        assert (reading.device.transmitter, reading.device.app) == (None, None)
        assert reading.device.generation == "g7"


def test_record_without_a_value_is_rejected() -> None:
    """A record without a value is rejected with a reason, and the others are read."""
    caller = connected()
    total = len(caller.readings())
    caller.order(MissingMembers(members=("value",), how="null", share=0.2))

    egvs = caller.egvs()

    assert len(egvs.readings) + len(egvs.rejected) == total
    assert set(egvs.reasons) == {"value-missing"}


def test_error_codes_are_rejected() -> None:
    """Error codes are rejected; plausible values outside the sensor's range are kept."""
    caller = connected()
    caller.order(OddValues())

    egvs = caller.egvs()

    assert {reading.mg_dl for reading in egvs.readings} == {38, 402, 600}
    assert set(egvs.reasons) == {"value-out-of-range"}


def test_mislabelled_mg_dl_is_not_converted() -> None:
    """Values in mg/dL with the unit mmol/L are not converted, and their rates are not either."""
    caller = connected()
    plain = caller.readings()
    caller.order(MmolUnits())

    assert caller.readings() == plain


def test_mmol_is_converted() -> None:
    """Values in mmol/L are converted, as exactly as one decimal allows."""
    caller = connected()
    plain = caller.readings()
    caller.order(MmolUnits(convert=True))

    for converted, was in zip(caller.readings(), plain, strict=True):
        assert abs(converted.mg_dl - was.mg_dl) <= 1.5
        assert abs((converted.trend_rate or 0.0) - (was.trend_rate or 0.0)) < 0.02


@pytest.mark.parametrize("display", ["offset", "milliseconds", "no_zone", "offset_with_seconds", "any"])
@pytest.mark.parametrize("system", ["z", "milliseconds", "no_zone", "zero_offset"])
def test_time_formats_give_the_same_readings(system: str, display: str) -> None:
    """Every format of times gives the same instants and the same local offset."""
    caller = connected()
    plain = caller.readings()
    caller.order(TimeStrings.model_validate({"system": system, "display": display}))

    assert caller.readings() == plain


def test_time_without_seconds_is_the_full_minute() -> None:
    """A time without seconds is the start of its minute."""
    caller = connected()
    plain = caller.readings()
    caller.order(TimeStrings(system="no_seconds"))

    assert [reading.at for reading in caller.readings()] == [
        reading.at.replace(second=0) for reading in plain
    ]


def test_readings_ahead_of_the_clock_are_kept() -> None:
    """Readings of a device whose clock is ten minutes ahead are kept."""
    caller = connected()
    caller.order(ClockDrift(drift_s=600))
    caller.clock.advance(3600.0)

    readings = caller.readings(caller.now - HOUR, caller.now + HOUR)

    assert caller.now < readings[-1].at <= caller.now + timedelta(seconds=600)
    assert readings[-1].local_offset_minutes == -360


def test_end_of_summer_time_changes_the_offset_only() -> None:
    """A change of the wall clock changes the local offset and not the instants."""
    caller = connected()
    plain = caller.readings()
    changed_at = caller.now - 6 * HOUR
    caller.order(DstChange(shift_minutes=-60, since=changed_at))

    readings = caller.readings()

    assert [reading.at for reading in readings] == [reading.at for reading in plain]
    assert {reading.local_offset_minutes for reading in readings if reading.at < changed_at} == {-360}
    assert {reading.local_offset_minutes for reading in readings if reading.at >= changed_at} == {-420}


@pytest.mark.parametrize("fault", [ExtraMembers(), PluralRecordType()], ids=lambda fault: fault.kind)
def test_undocumented_members_change_nothing(fault: Fault) -> None:
    """Unknown members and a plural recordType give the same result."""
    caller = connected()
    plain = caller.egvs()
    caller.order(fault)

    assert caller.egvs() == plain


@pytest.mark.parametrize(
    "fault",
    [
        LateUploads(delay_s=3_600),
        RevisedValues(),
        Duplicates(),
        Unordered(),
        UnknownEnums(),
        MissingMembers(),
        OddValues(),
        MmolUnits(convert=True),
        TimeStrings(system="any", display="any"),
        ClockDrift(drift_s=600),
        DstChange(),
        ExtraMembers(),
        PluralRecordType(),
    ],
    ids=lambda fault: fault.kind,
)
def test_unusual_records_cause_no_error_and_no_retry(fault: Fault) -> None:
    """A response with unusual records is one call without error, retry or circuit transition."""
    caller = connected()
    caller.order(fault)

    caller.egvs()

    assert caller.calls == 1
    seen = caller.metrics.snapshot()
    assert (seen.retries, dict(seen.errors), dict(seen.breaker_transitions)) == (0, {}, {})


def test_hash_of_the_account_differs_between_accounts() -> None:
    """A result has the same hash for the same account, and another one for another account."""
    caller = connected()
    other = caller.oauth.exchange(caller.code("SandboxUser1"))

    ours = caller.egvs()
    theirs = caller.client.egvs(other.access_token, caller.now - HOUR, caller.now)

    assert ours.account_id_hash == caller.egvs().account_id_hash
    assert None is not theirs.account_id_hash != ours.account_id_hash


def test_device_has_its_last_upload() -> None:
    """`devices` returns the uploading device and its last upload, within the last hour."""
    caller = connected()

    (device,) = caller.client.devices(caller.tokens.access_token)

    assert device.device.generation == "g7"
    assert device.last_upload_at is not None
    assert caller.now - device.last_upload_at < HOUR
    assert caller.calls == 1
