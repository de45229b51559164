"""Episodes of low and high glucose: when they open, continue, close and count."""

# Every instant is that of its slot. 15 minutes are three slots, 10 minutes two.
#
# Rule 1: If a reading is beyond the threshold, an episode opens.
# Rule 2: If the first reading back is less than 15 minutes after the opening, the episode is discarded.
# Rule 3: If a reading back is at least 10 minutes after the first reading back, the episode closes.
#         It lasts from the opening to the first reading back.
# Rule 4: If a reading is beyond before that, the episode continues as if there had been no reading back.
# Rule 5: If more than 45 minutes lie between two readings, or the readings end, the episode closes. It lasts
#         to the first reading back, or to 5 minutes after the last reading, and counts from 15 minutes on.
#
#   beyond      x x x x     x x                 x x          x x x x
#   back      .         . .     . . . .      .      . .              <gap>
#               |---------------|               discarded    |-------|
#               opening         closes                       opening + 20 minutes

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest.statistics.bands import HIGH, LOW, VERY_HIGH, VERY_LOW
from bg_ingest.statistics.series import SLOT_MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.statistics.series import LocalReadings

_EPISODE_SLOTS_MIN = 3  # 15 minutes
_BACK_SLOTS_MIN = 2  # 10 minutes
_GAP_SLOTS_MAX = 9  # 45 minutes


@dataclass(frozen=True, slots=True)
class Episodes:
    """How many episodes there were, and how long they were on average; None where there is nothing to say."""

    count: int | None
    mean_minutes: float | None


def episodes(readings: LocalReadings) -> dict[str, Episodes]:
    """The episodes beyond each threshold, by its name."""
    values = readings.mg_dl
    if not values:
        return dict.fromkeys(("below_70", "below_54", "above_180", "above_250"), Episodes(None, None))
    return {
        "below_70": _counted(readings.slots, [value < LOW for value in values]),
        "below_54": _counted(readings.slots, [value < VERY_LOW for value in values]),
        "above_180": _counted(readings.slots, [value > HIGH for value in values]),
        "above_250": _counted(readings.slots, [value > VERY_HIGH for value in values]),
    }


def _counted(slots: Sequence[int], beyond: Sequence[bool]) -> Episodes:
    lengths = []
    opening = _next_beyond(flags := bytes(beyond), 0)
    while opening is not None:
        length, following = _episode(slots, beyond, opening)
        if length >= _EPISODE_SLOTS_MIN:
            lengths.append(length)
        opening = _next_beyond(flags, following)
    mean_minutes = SLOT_MINUTES * sum(lengths) / len(lengths) if lengths else None
    return Episodes(len(lengths), mean_minutes)


def _next_beyond(flags: bytes, start: int) -> int | None:
    found = flags.find(1, start)
    return None if found < 0 else found


def _episode(slots: Sequence[int], beyond: Sequence[bool], opening: int) -> tuple[int, int]:
    """The length in slots of the episode that opens at a reading, and the first reading that follows it."""
    opened = last = slots[opening]
    back: int | None = None
    for reading in range(opening + 1, len(slots)):
        slot = slots[reading]
        if slot - last > _GAP_SLOTS_MAX:
            break
        last = slot
        if beyond[reading]:
            back = None
        elif back is None:
            if slot - opened < _EPISODE_SLOTS_MIN:
                return 0, reading + 1
            back = slot
        elif slot - back >= _BACK_SLOTS_MIN:
            return back - opened, reading + 1
    else:
        reading = len(slots)
    return (last + 1 if back is None else back) - opened, reading
