"""Readings that a test adds by hand. Members that the test leaves out get the values a sensor would send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dexcom_sim.people.archive import AddedRecord
from dexcom_sim.people.records import DatedRecord, record_id, record_of, value_and_status
from dexcom_sim.people.sensors import Measurement, sensor_at, sensor_start_s
from dexcom_sim.timestamps import unix_s

if TYPE_CHECKING:
    from dexcom_sim.people.population import SimulatedPerson

# Within these bounds no calendar arithmetic overflows.
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Instant = Annotated[AwareDatetime, Field(ge=_EARLIEST, le=_LATEST)]


class AddedReading(BaseModel):
    """A time and a value. Every other member is copied into the record."""

    model_config = ConfigDict(extra="allow")

    system_time: Instant
    value: int | None
    uploaded_at: Instant | None = None


def added_record(person: SimulatedPerson, client_id: str, reading: AddedReading, now_s: int) -> AddedRecord:
    """The record that Dexcom would return for this reading, visible from its upload on."""
    at_s = unix_s(reading.system_time)
    sensor = sensor_at(person, at_s)
    transmitter = sensor - sensor % person.sensor_model.sensors_per_transmitter
    ticks = at_s - sensor_start_s(person, transmitter)
    record = record_of(person, client_id, Measurement(at_s, ticks, transmitter))
    status = None if reading.value is None else value_and_status(reading.value)[1]
    given: dict[str, Any] = reading.model_extra or {}
    # A sensor may have measured in the same second, so the id differs from that record's id.
    own_id = record_id(client_id, person.seed, "added", at_s, reading.value)
    record |= {"recordId": own_id, "value": reading.value, "status": status, **given}
    uploaded_s = unix_s(reading.uploaded_at) if reading.uploaded_at else now_s
    return AddedRecord(DatedRecord(at_s, record), uploaded_s)
