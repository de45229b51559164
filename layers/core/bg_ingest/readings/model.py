"""What a glucose reading is, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Status = Literal["low", "high"]
Kind = Literal["cgm", "manual", "calibration"]


@dataclass(frozen=True, slots=True)
class Device:
    """What measured and what uploaded a reading; strings are kept as the provider spells them."""

    generation: str | None = None
    display: str | None = None
    app: str | None = None
    transmitter: str | None = None  # A hash: the provider's id never leaves bg_ingest.providers.dexcom.


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One glucose value of one person at one instant.

    `at` is the provider's system time in UTC, whole seconds: it is the identity of the reading within its
    user. `device.transmitter` and `transmitter_ticks` together name the physical measurement, whichever
    device reported it.
    """

    at: datetime
    mg_dl: int
    trend: str | None = None
    trend_rate: float | None = None  # mg/dL per minute
    status: Status | None = None  # The provider said "below its range" (39) or "above" (401).
    kind: Kind = "cgm"
    record_id: str | None = None
    local_offset_minutes: int | None = None
    transmitter_ticks: int | None = None  # Seconds since the transmitter started.
    device: Device = Device()
