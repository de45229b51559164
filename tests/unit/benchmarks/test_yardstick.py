from __future__ import annotations

import pytest

from benchmarks.yardstick import REFERENCE_MS, Yardstick


def test_a_machine_is_as_slow_as_its_middle_measurement() -> None:
    """One bad moment among many does not count; twice the reference's time is a slowness of two."""
    yardstick = Yardstick()
    yardstick.samples_ms = [2.0 * REFERENCE_MS, 1.5 * REFERENCE_MS, 9.0 * REFERENCE_MS]

    assert yardstick.slowness == pytest.approx(2.0)
    assert yardstick.described().startswith("20.0 ms (15.0 to 90.0 in this run)")


def test_it_takes_some_time() -> None:
    """Each time it is laid on, several times of its own."""
    yardstick = Yardstick()
    yardstick.lay_on()
    once = len(yardstick.samples_ms)
    yardstick.lay_on()

    assert len(yardstick.samples_ms) == 2 * once > 0
    assert min(yardstick.samples_ms) > 0
