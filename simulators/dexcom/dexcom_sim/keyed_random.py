"""
Random numbers that are a function of a key: the same key always gives the same number.

A generator would have to run through all earlier weeks to reach one week of the past. A keyed number needs
only its key. So any week can be computed by itself, and two overlapping windows agree where they overlap.
"""

from __future__ import annotations

from hashlib import blake2b

_MASK = (1 << 64) - 1
# The increment of SplitMix64 (Steele, Lea, Flood 2014). SplitMix64 costs a fifth of a hash.
_GOLDEN = 0x9E3779B97F4A7C15


def derive(seed: int, *names: object) -> int:
    """A seed that belongs to these names."""
    return int.from_bytes(digest(seed, *names)[:8], "big")


def digest(*names: object) -> bytes:
    """Thirty-two bytes that belong to these names."""
    return blake2b("\x1f".join(map(str, names)).encode(), digest_size=32).digest()


def draw(seed: int, salt: int, index: int) -> float:
    """A number in [0, 1). Each use has a salt of its own, so that its numbers are independent."""
    mixed = (seed + salt * 0xD1B54A32D192ED03 + (index + 1) * _GOLDEN) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


def smooth_noise(seed: int, salt: int, at_s: int, knot_s: int) -> float:
    """A smooth curve between -1 and 1 through a random value every `knot_s` seconds."""
    knot, beyond_s = divmod(at_s, knot_s)
    share = beyond_s / knot_s
    share *= share * (3.0 - 2.0 * share)
    before, after = draw(seed, salt, knot), draw(seed, salt, knot + 1)
    return 2.0 * (before + (after - before) * share) - 1.0
