"""
Chance that can be asked twice: the same question always gets the same answer.

Everything random about a person is drawn here from a key, never from a stream. So any week of the past can be
answered without generating the weeks before it, and two overlapping windows agree where they overlap.
"""

from __future__ import annotations

from hashlib import blake2b

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # SplitMix64 (Steele, Lea, Flood 2014); a hash would cost five times as much.


def derive(seed: int, *names: object) -> int:
    """A seed for something that has a name."""
    return int.from_bytes(digest(seed, *names)[:8], "big")


def digest(*names: object) -> bytes:
    """Thirty-two bytes that belong to these names alone."""
    return blake2b("\x1f".join(map(str, names)).encode(), digest_size=32).digest()


def draw(seed: int, salt: int, index: int) -> float:
    """A number in [0, 1) for the index-th question of the kind `salt`."""
    mixed = (seed + salt * 0xD1B54A32D192ED03 + (index + 1) * _GOLDEN) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


def wander(seed: int, salt: int, at_s: int, knot_s: int) -> float:
    """A smooth line between -1 and 1 with a new random knot every `knot_s` seconds."""
    knot, beyond_s = divmod(at_s, knot_s)
    share = beyond_s / knot_s
    share *= share * (3.0 - 2.0 * share)
    before, after = draw(seed, salt, knot), draw(seed, salt, knot + 1)
    return 2.0 * (before + (after - before) * share) - 1.0
