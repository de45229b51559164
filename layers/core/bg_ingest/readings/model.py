"""A glucose reading of any provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Status = Literal["low", "high"]
Kind = Literal["cgm", "manual", "calibration"]


@dataclass(frozen=True, slots=True)
class Device:
    """The devices behind a reading, spelled as the provider spells them."""

    generation: str | None = None
    display: str | None = None
    app: str | None = None
    transmitter: str | None = None  # A hash. The provider's own id never leaves its package.


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One glucose value of one user at one instant.

    `at` is the provider's system time in UTC, in whole seconds. It identifies the reading within its user.
    `device.transmitter` and `transmitter_ticks` together identify the measurement across devices.

    A new field also needs a row in the table of fields.py, and a provider that sets it. If it is served,
    `http_api.range_response.ReadingJson` describes it.
    """

    at: datetime
    mg_dl: int
    trend: str | None = None
    trend_rate: float | None = None  # mg/dL per minute
    status: Status | None = None  # The value was below ("low") or above ("high") what the sensor measures.
    kind: Kind = "cgm"
    record_id: str | None = None
    local_offset_minutes: int | None = None
    transmitter_ticks: int | None = None  # Seconds since the transmitter started.
    device: Device = Device()
