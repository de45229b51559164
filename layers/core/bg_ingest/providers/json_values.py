"""Values of a provider's JSON, of which nothing can be taken for granted, and pseudonyms for its ids."""

from __future__ import annotations

import math
from hashlib import sha256

# 64 bits. One person uses a few dozen transmitters and accounts, and every reading stores one pseudonym.
_HEX_DIGITS = 16
# Longer than any known enumeration or id; it limits the size of a stored reading.
_TEXT_MAX = 100


def pseudonym(kind: str, id_: object) -> str | None:
    """
    Deterministic hash of an id; None without an id.

    `kind` says what the id names and at which provider, such as "dexcom/transmitter". Equal ids of two kinds
    have different hashes. Stored readings contain the hashes, so a kind must never be renamed.
    """
    if not isinstance(id_, str) or not id_:
        return None
    # JSON may contain a lone surrogate, which strict UTF-8 cannot encode.
    return sha256(f"bg-ingest/{kind}/{id_}".encode(errors="surrogatepass")).hexdigest()[:_HEX_DIGITS]


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
