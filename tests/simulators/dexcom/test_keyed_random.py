from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.keyed_random import derive, digest, draw, smooth_noise

SEEDS = st.integers(0, 2**64 - 1)
INDEXES = st.integers(-(2**40), 2**40)


@given(SEEDS, st.integers(0, 64), INDEXES)
def test_a_draw_is_repeatable_and_in_range(seed: int, salt: int, index: int) -> None:
    """The same key gives the same number, from 0 up to but not including 1."""
    assert draw(seed, salt, index) == draw(seed, salt, index)
    assert 0.0 <= draw(seed, salt, index) < 1.0


def test_draws_are_evenly_distributed() -> None:
    """Ten thousand draws are divided into ten classes of about a thousand."""
    drawers = [0] * 10
    for index in range(10_000):
        drawers[int(draw(7, 1, index) * 10)] += 1

    assert all(900 < count < 1_100 for count in drawers)


@given(SEEDS, INDEXES)
def test_smooth_noise_has_no_jumps(seed: int, at_s: int) -> None:
    """From one second to the next the curve changes by very little."""
    here, there = smooth_noise(seed, 1, at_s, 3600), smooth_noise(seed, 1, at_s + 1, 3600)

    assert -1.0 <= here <= 1.0
    assert abs(here - there) < 2 * 2 / 3600


def test_names_are_separated_in_a_digest() -> None:
    """Two different lists of names have different digests."""
    assert digest("a", "bc") != digest("ab", "c")
    assert derive(1, "ana") != derive(2, "ana")
