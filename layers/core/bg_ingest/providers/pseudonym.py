"""Pseudonyms: hashes that replace a provider's ids outside the providers package."""

from __future__ import annotations

from hashlib import sha256

# 64 bits. One person uses a few dozen transmitters and accounts, and every reading stores one pseudonym.
_HEX_DIGITS = 16


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
