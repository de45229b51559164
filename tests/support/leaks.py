"""Finds secrets and personal data of the tests in a line, a metric or an exception."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The webhook secrets of the tests: the current one, and the one that it replaced.
WEBHOOK_SECRET = "whsec_bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCBub2JvZHlz"
OLD_WEBHOOK_SECRET = "whsec_dGhlIG9uZSBiZWZvcmUsIG1hZGUgdXAgYXMgd2VsbA=="

# The user ids of the tests and of events/; those that are ordinary words are matched as whole words.
_USERS = ("ada", "bob", "demo", "grace", "patient", "stranger", "kira", "joan", "mia", "eva")
_IS_A_NUMBER = r"[\"']?\s*[:=]\s*[\"']?-?\d"
# The kinds of leaks. A pattern is searched only in a text that contains its sign. Nearly every text contains
# none, and a search for all signs takes a fifth of the time of the patterns.
FORBIDDEN = {
    "a person": {
        "SandboxUser": re.compile(r"SandboxUser\d*"),
        "hourly-": re.compile(r"\bhourly-\d+"),
        **{user: re.compile(rf"\b{user}\b") for user in _USERS},
    },
    "a token or a secret": {
        "access-token-of-": re.compile(r"access-token-of-\w+"),
        **{name: re.compile(rf"\b{name}\d+\b") for name in ("access-", "refresh-", "old-", "new-")},
        "hunter2": re.compile("hunter2"),
        "in-the-clear": re.compile("in-the-clear"),
        "-secret": re.compile(r"(?:local|bg-ingest)-secret\b"),
        "Bearer": re.compile(r"\bBearer\s+\S+"),
        "eyJ": re.compile(r"\beyJ[\w-]{10,}\.[\w-]+"),
        "whsec_": re.compile(r"whsec_[\w+/]{8,}"),
        "v1,": re.compile(r"\bv1,[\w+/]{20,}"),
    },
    "a glucose value": {
        # Signs in lower case are looked for in a text of lower case as well.
        "mg/dl": re.compile(r"\d\s*mg/dL", re.IGNORECASE),
        "mmol/l": re.compile(r"\d\s*mmol/L", re.IGNORECASE),
        "glucose": re.compile(rf"glucose\w*{_IS_A_NUMBER}", re.IGNORECASE),
        "mg_dl": re.compile(rf"mg_dl{_IS_A_NUMBER}", re.IGNORECASE),
        "mmol_l": re.compile(rf"mmol_l{_IS_A_NUMBER}", re.IGNORECASE),
        "value": re.compile(rf"\bvalue{_IS_A_NUMBER}", re.IGNORECASE),
        "trend": re.compile(rf"trend_?rate{_IS_A_NUMBER}", re.IGNORECASE),
    },
}
# The simulator's codes, tokens and transmitters have 64 hexadecimal digits or more; pseudonyms have 16.
# Tokens of readers, and digests of them.
_DIGITS = re.compile("[0-9a-f]{16}")
_OPAQUE = {
    "a token of a reader": re.compile(r"\b[A-Za-z][\w-]*-[0-9a-f]{16}\b|\b[0-9a-f]{40}\b"),
    "a token or a device": re.compile(r"\b(?=[0-9a-f]*[a-f])(?:[0-9a-f]{64,}|[0-9a-f]{16})\b"),
}


def leaks_in(text: str) -> list[str]:
    """The kinds of leaks in a text, each with its first characters only, because the result is logged."""
    return [f"{kind} ({found[:12]}...)" for kind, found in _found_in(text)]


def _found_in(text: str) -> Iterator[tuple[str, str]]:
    folded = text.casefold()
    for kind, patterns in FORBIDDEN.items():
        for sign, pattern in patterns.items():
            if (sign in folded or sign in text) and (found := pattern.search(text)):
                yield kind, found[0]
                break
    if _DIGITS.search(text):
        for kind, pattern in _OPAQUE.items():
            if found := pattern.search(text):
                yield kind, found[0]
