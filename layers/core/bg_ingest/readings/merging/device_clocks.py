"""How far apart the clocks of a user's devices are, from the measurements that two of them report."""

# The phone and the receiver stamp a measurement with their own clocks, which can differ by minutes. The ticks
# of the transmitter name the measurement, but a transmitter may repeat them. Therefore the ticks alone are
# enough up to COPIES_APART_MAX. Further apart, two records are one measurement only if the clocks of their
# devices are known to differ by just that much. Example of three measurements, which are not six:
#
#   ticks       7         8         9
#   phone       05:00:00  05:05:00  05:10:00
#   receiver    05:02:35  05:07:36  05:12:35
#   difference  155 s     156 s     155 s
#
# Rule 1: A pair is one measurement that both devices report, each at one instant only.
# Rule 2: A difference is steady if PAIRS_MIN pairs of different ticks have it, give or take STEADY.
# Rule 3: One device never differs from itself. If it repeats its ticks, the measurements stay apart.

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import MeasurementId, device_order, measurement_id, same_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bg_ingest.readings.model import Device
    from bg_ingest.readings.stored.stored_reading import Copy

    Pair = tuple[Device, Device]

# Clocks further apart are not one person's devices, or one of them is wrong.
CLOCKS_APART_MAX = timedelta(minutes=15)
# Devices stamp a measurement with about a second of jitter.
STEADY = timedelta(seconds=10)
# The pairs that make a difference steady.
PAIRS_MIN = 3


class DeviceClocks:
    """The differences between the clocks of each two devices, as far as these records show them."""

    def __init__(self, records: Iterable[Copy]) -> None:
        seen: defaultdict[MeasurementId, defaultdict[Device, set[datetime]]]
        seen = defaultdict(lambda: defaultdict(set))
        for record in records:
            measurement = measurement_id(record.device, record.transmitter_ticks)
            if measurement:
                seen[measurement][record.device].add(record.at)
        apart: defaultdict[Pair, list[timedelta]] = defaultdict(list)
        for instants in seen.values():
            for pair, difference in _pairs(instants):
                apart[pair].append(difference)
        self._apart = {
            pair: sorted(differences)
            for pair, differences in apart.items()
            if len(differences) >= PAIRS_MIN and not same_device(*pair)
        }

    def agree(self, one: Copy, other: Copy) -> bool:
        """Whether the two instants are one, if each device's clock is read as the other's."""
        if not self._apart or abs(one.at - other.at) > CLOCKS_APART_MAX:
            return False
        first, second = sorted((one, other), key=lambda record: device_order(record.device))
        differences = self._apart.get((first.device, second.device), [])
        difference = second.at - first.at
        alike = bisect_right(differences, difference + STEADY) - bisect_left(differences, difference - STEADY)
        return alike >= PAIRS_MIN


def _pairs(instants: Mapping[Device, set[datetime]]) -> Iterable[tuple[Pair, timedelta]]:
    """Each two devices that report one measurement, with the second's instant less the first's."""
    if len(instants) == 1:
        return
    once = [(device, at) for device, (at, *more) in instants.items() if not more]
    once.sort(key=lambda entry: device_order(entry[0]))
    for (first, at_first), (second, at_second) in combinations(once, 2):
        yield (first, second), at_second - at_first
