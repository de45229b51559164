"""Comparison of two answers, figure by figure."""

from __future__ import annotations

from typing import Any

TOLERANCE = 1e-9


def disagreements(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where two answers differ by more than 1e-9; numbers compare with numbers, None only with None."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if ours.keys() != theirs.keys():
            return [f"{where}: names differ by {sorted(ours.keys() ^ theirs.keys())}"]
        return [each for name in ours for each in disagreements(ours[name], theirs[name], f"{where}.{name}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        both = enumerate(zip(ours, theirs, strict=True))
        return [each for place, pair in both for each in disagreements(*pair, f"{where}[{place}]")]
    if isinstance(ours, bool | str) or ours is None or theirs is None or isinstance(ours, list):
        return (
            [] if ours == theirs and type(ours) is type(theirs) else [f"{where}: {ours!r} is not {theirs!r}"]
        )
    return (
        [] if abs(ours - theirs) <= TOLERANCE * max(1, abs(theirs)) else [f"{where}: {ours} is not {theirs}"]
    )
