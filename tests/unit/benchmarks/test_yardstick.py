from __future__ import annotations

import pytest

from benchmarks.yardstick import REFERENCE_MS, Yardstick


def test_slowness_is_the_median_of_the_samples() -> None:
    """The median counts, so one slow sample has no effect.

    Twice the reference's time is a slowness of two.
    """
    yardstick = Yardstick()
    yardstick.samples_ms = [2.0 * REFERENCE_MS, 1.5 * REFERENCE_MS, 9.0 * REFERENCE_MS]

    assert yardstick.slowness == pytest.approx(2.0)
    assert yardstick.described().startswith("20.0 ms (15.0 to 90.0 in this run)")


def test_a_sample_takes_measurable_time() -> None:
    """Each sample takes several measurable runs."""
    yardstick = Yardstick()
    yardstick.lay_on()
    once = len(yardstick.samples_ms)
    yardstick.lay_on()

    assert len(yardstick.samples_ms) == 2 * once > 0
    assert min(yardstick.samples_ms) > 0
