"""Values of a provider's JSON, of which nothing can be taken for granted."""

from __future__ import annotations

import math

# Longer than any known enumeration or id; it limits the size of a stored reading.
_TEXT_MAX = 100


def number_of(value: object) -> float | None:
    """The value as a finite float; None for a boolean, and for a number that is too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def text_of(value: object) -> str | None:
    """A string up to _TEXT_MAX characters; None for an empty one. Lone surrogates become "?"."""
    if not isinstance(value, str) or not value:
        return None
    return value[:_TEXT_MAX].encode(errors="replace").decode()
