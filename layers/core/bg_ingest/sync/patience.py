"""How long to wait before another try; `spread` in [0, 1) keeps those who failed together apart."""

from __future__ import annotations

# For the provider: soon at first, since most trouble is short, then doubling up to a quarter of an hour.
_DEFER_S_MIN = 10
_DEFER_S_MAX = 900
# For our own failures: four more tries within an hour and a half, then a person has to look.
_OWN_S_MIN = 60
_OWN_S_MAX = 3_600
# SQS hides nothing for longer than twelve hours.
WAIT_S_MAX = 12 * 3_600 - 1


def deferral_s(deferrals: int, spread: float, asked_s: float) -> int:
    """
    How long to put an order off that was put off `deferrals` times before.

    What the provider asked for is a lower bound, 0 if it said nothing; the spread comes on top, so that all
    who were told the same do not come back at once.
    """
    half_s = min(_DEFER_S_MIN * 2**deferrals, _DEFER_S_MAX) / 2
    return int(min(max(half_s, asked_s) + _share(spread) * half_s, WAIT_S_MAX))


def own_failure_s(received: int, spread: float) -> int:
    """How long to hide a message whose order failed for reasons of ours the `received`th time."""
    half_s = min(_OWN_S_MIN * 4 ** (received - 1), _OWN_S_MAX) / 2
    return int(half_s + _share(spread) * half_s)


def _share(spread: float) -> float:
    assert 0.0 <= spread < 1.0  # noqa: S101 - only a bug can break it.
    return spread
