"""Which form of an answer a caller wants, by RFC 9110, 12.5.1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """
    The form of those offered that is wanted most: by weight, then named before meant by `*`, then as listed.

    The first of them where nothing is said, or nothing wanted that is offered: an answer is better than none.
    """
    wishes: dict[str, tuple[float, int]] = {}
    for place, part in enumerate((accept or "").split(",")):
        form, *parameters = (each.strip() for each in part.split(";"))
        wishes.setdefault(form.lower(), (_weight(parameters), -place))

    def standing(form: str) -> tuple[float, int, int]:
        for vagueness, name in enumerate((form, f"{form.partition('/')[0]}/*", "*/*")):
            if name in wishes:
                weight, listed = wishes[name]
                return weight, -vagueness, listed
        return 0.0, 0, 0

    best = max(offered, key=standing)
    return best if standing(best)[0] else offered[0]


def _weight(parameters: Sequence[str]) -> float:
    found = filter(None, map(_WEIGHT.fullmatch, parameters))
    return next((float(weight[1]) for weight in found), 1.0)
