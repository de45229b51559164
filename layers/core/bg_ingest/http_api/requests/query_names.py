"""
Check of the names of a request's query parameters: unknown and repeated ones are invalid.

A misspelled name must not be ignored: `?start=…` without this check would answer the last 24 hours. The
reason contains the nearest known name, and never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Collection

# Names of other APIs for our parameters, which share too few letters with them.
_ALSO_CALLED = {
    "from": ("start", "begin", "after", "start_date", "startdate", "gte"),
    "to": ("end", "until", "before", "end_date", "enddate", "lt"),
    "limit": ("count", "max", "size", "page_size", "per_page", "n"),
    "order": ("sort", "direction", "reverse"),
    "unit": ("measure",),
    "cursor": ("page", "next", "offset", "token"),
}
_SIMILARITY_MIN = 0.5
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}", re.ASCII)


def faults_in_names(raw_query: str, known: Collection[str], *, others_ignored: bool) -> list[dict[str, str]]:
    """Return the unknown and the repeated parameters of a query, each with the reason why it is invalid."""
    counted = Counter(name for name, _ in parse_qsl(raw_query, keep_blank_values=True))
    faults = []
    for name, times in counted.items():
        if name not in known and not others_ignored:
            faults.append({"field": _shown(name), "reason": _unknown(name, known)})
        elif name in known and times > 1:
            faults.append({"field": name, "reason": "must not be repeated"})
    return faults


def _shown(name: str) -> str:
    # A caller may have sent anything in place of a name.
    return name if _PLAIN.fullmatch(name) else "query"


def _unknown(name: str, known: Collection[str]) -> str:
    nearest = _nearest(name.lower(), known)
    if nearest:
        return f"is not a parameter of this route: did you mean `{nearest}`?"
    if not known:
        return "is not a parameter of this route, which has no query parameters"
    return "is not a parameter of this route. It has: " + ", ".join(f"`{each}`" for each in known)


def _nearest(name: str, known: Collection[str]) -> str | None:
    for own, others in _ALSO_CALLED.items():
        if own in known and name in others:
            return own
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong name needs it, not every cold start.

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=_SIMILARITY_MIN)), None)
