"""Pseudonyms: stable hashes that stand for provider ids outside the provider package."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

# 64 bits: a person meets a few dozen transmitters and accounts in a lifetime, and every reading carries one.
_HEX_DIGITS = 16


def pseudonym(kind: Literal["transmitter", "account", "connection"], id_: object) -> str | None:
    """Always the same for one id, and another for the same text as another kind of id; None without an id."""
    if not isinstance(id_, str) or not id_:
        return None
    text = f"bg-ingest/dexcom/{kind}/{id_}"
    # A lone surrogate is legal JSON and cannot be encoded otherwise.
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HEX_DIGITS]
