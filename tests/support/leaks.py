"""Finds secrets and personal data of the tests in a line, a metric or an exception."""

from __future__ import annotations

import re

# The webhook secrets of the tests: the current one, and the one that it replaced.
WEBHOOK_SECRET = "whsec_bWFkZSB1cCBmb3IgdGhlIHRlc3RzLCBub2JvZHlz"
OLD_WEBHOOK_SECRET = "whsec_dGhlIG9uZSBiZWZvcmUsIG1hZGUgdXAgYXMgd2VsbA=="

# The user ids of the tests and of events/; those that are ordinary words are matched as whole words.
_PEOPLE = r"SandboxUser\d*|\bhourly-\d+|\b(?:ada|bob|demo|grace|patient|stranger|kira|joan|mia|eva)\b"
_MADE_UP = r"access-token-of-\w+|\b(?:access|refresh|old|new)-\d+\b|hunter2|in-the-clear"
_CREDENTIALS = (
    r"(?:local|bg-ingest)-secret\b|\bBearer\s+\S+|\beyJ[\w-]{10,}\.[\w-]+|"
    r"whsec_[\w+/]{8,}|\bv1,[\w+/]{20,}"
)
# The simulator's codes, tokens and transmitters have 64 hexadecimal digits or more; pseudonyms have 16.
# Tokens of readers, and digests of them.
_GRANTS = r"\b[A-Za-z][\w-]*-[0-9a-f]{16}\b|\b[0-9a-f]{40}\b"
_OPAQUE = r"\b(?=[0-9a-f]*[a-f])(?:[0-9a-f]{64,}|[0-9a-f]{16})\b"
_GLUCOSE = (
    r"\d\s*(?:mg/dL|mmol/L)|"
    r"(?:glucose\w*|mg_dl|mmol_l|\bvalue|trend_?rate)[\"']?\s*[:=]\s*[\"']?-?\d"
)
_FORBIDDEN = {
    "a person": re.compile(_PEOPLE),
    "a token or a secret": re.compile(f"{_MADE_UP}|{_CREDENTIALS}"),
    "a token of a reader": re.compile(_GRANTS),
    "a token or a device": re.compile(_OPAQUE),
    "a glucose value": re.compile(_GLUCOSE, re.IGNORECASE),
}


def leaks_in(text: str) -> list[str]:
    """The kinds of leaks in a text, each with its first characters only, because the result is logged."""
    return [
        f"{kind} ({found[0][:12]}...)"
        for kind, pattern in _FORBIDDEN.items()
        if (found := pattern.search(text))
    ]
