"""Readings as a G7 sends them: every five minutes, a new sensor every ten days, ids in full length."""

from __future__ import annotations

import hashlib
import random
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.model import Device, Reading

if TYPE_CHECKING:
    from datetime import datetime

READINGS_PER_DAY = 288
_EVERY = timedelta(minutes=5)
_SENSOR_DAYS = 10
_TRENDS = ("doubleDown", "singleDown", "fortyFiveDown", "flat", "fortyFiveUp", "singleUp", "doubleUp")


def readings_of(start: datetime, days: int) -> list[Reading]:
    """Return the readings of this many days of one user, always the same."""
    chance = random.Random(20_261_121)  # noqa: S311 - the same in every run.
    mg_dl, readings = 120.0, []
    for n in range(days * READINGS_PER_DAY):
        rate = round(chance.gauss(0, 0.8), 1)
        mg_dl = min(max(mg_dl + 5 * rate + (120 - mg_dl) * 0.03, 45), 380)
        sensor, minutes = divmod(n * 5, _SENSOR_DAYS * 24 * 60)
        readings.append(
            Reading(
                start + n * _EVERY + timedelta(seconds=chance.randrange(3)),
                round(mg_dl),
                _TRENDS[min(max(round(rate) + 3, 0), 6)],
                rate,
                record_id=str(uuid.UUID(int=chance.getrandbits(128))),
                local_offset_minutes=-420,
                transmitter_ticks=minutes * 60 + chance.randrange(3),
                device=Device("g7", "iOS", "G7", hashlib.sha256(f"sensor {sensor}".encode()).hexdigest()),
            )
        )
    return readings
