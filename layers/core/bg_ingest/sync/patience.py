"""How long to wait before another try; `spread` in [0, 1) keeps those who failed together apart."""

from __future__ import annotations

# For the provider: soon at first, since most trouble is short, then doubling up to a quarter of an hour.
_DEFER_S_MIN = 10.0
_DEFER_S_MAX = 900.0
# For our own failures: four more tries within an hour and a half, then a person has to look.
_OWN_S_MIN = 60.0
_OWN_S_MAX = 3_600.0
# SQS hides nothing for longer than twelve hours.
WAIT_S_MAX = 12 * 3_600 - 1


def deferral_s(deferrals: int, spread: float, asked_s: float = 0.0) -> int:
    """
    How long to put an order off that was put off `deferrals` times before.

    What the provider asked for is a lower bound; the spread comes on top, so that all who were told the
    same do not come back at once.
    """
    step_s = min(_DEFER_S_MIN * 2.0 ** min(deferrals, 12), _DEFER_S_MAX)
    return _spread(step_s, spread, asked_s)


def own_failure_s(received: int, spread: float) -> int:
    """How long to hide a message whose order failed for reasons of ours the `received`th time."""
    return _spread(min(_OWN_S_MIN * 4.0 ** min(received - 1, 6), _OWN_S_MAX), spread)


def _spread(step_s: float, spread: float, asked_s: float = 0.0) -> int:
    assert 0.0 <= spread < 1.0  # noqa: S101 - only a bug can break it.
    return int(min(max(step_s / 2, asked_s) + spread * step_s / 2, WAIT_S_MAX))
