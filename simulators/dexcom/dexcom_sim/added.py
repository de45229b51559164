"""Readings added by hand: what must be said, and what is made up for the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dexcom_sim.faults.changes import Shown
from dexcom_sim.instants import unix_s
from dexcom_sim.journal import Added
from dexcom_sim.records import record_id, record_of, value_and_status
from dexcom_sim.sensors import Measurement, sensor_at, sensor_start_s

if TYPE_CHECKING:
    from dexcom_sim.people import Person
    from dexcom_sim.world import World


# Nobody wore a sensor before, and no calendar arithmetic overflows between.
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Instant = Annotated[AwareDatetime, Field(ge=_EARLIEST, le=_LATEST)]


class AddedReading(BaseModel):
    """An instant and a value; every other member is taken into the record as it is, whatever its name."""

    model_config = ConfigDict(extra="allow")

    system_time: Instant
    value: int | None
    uploaded_at: Instant | None = None


def added_of(world: World, person: Person, reading: AddedReading) -> Added:
    """The record Dexcom would make of it, dated and ready to be seen."""
    at_s = unix_s(reading.system_time)
    sensor = sensor_at(person, at_s)
    transmitter = sensor - sensor % person.wears.sensors_per_transmitter
    ticks = at_s - sensor_start_s(person, transmitter)
    record = record_of(person, world.application.client_id, Measurement(at_s, ticks, transmitter))
    status = None if reading.value is None else value_and_status(reading.value)[1]
    said: dict[str, Any] = reading.model_extra or {}
    # An id of its own: a sensor may have measured in the same second.
    own_id = record_id(world.application.client_id, person.seed, "added", at_s, reading.value)
    record |= {"recordId": own_id, "value": reading.value, "status": status, **said}
    uploaded_at = reading.uploaded_at or world.clock.now()
    return Added(Shown(at_s, record), unix_s(uploaded_at))
