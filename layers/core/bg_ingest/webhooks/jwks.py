"""
A sender's public keys (RFC 7517), fetched from their address and cached.

    fetched      fetched again every FRESH_S: a withdrawn key is not trusted for long
    |------------|------------|--> time
          ^ an unknown key id: fetched at once, but never within REFRESH_S of the fetch before, so that
            forged tokens cannot cause more fetches

If a fetch fails, the cached keys stay valid for STALE_S more. The only file here that needs httpx.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import httpx
import jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock

ALGORITHMS = ("RS256", "ES256")
FRESH_S = 300.0
REFRESH_S = 30.0
STALE_S = 3_600.0
FETCH_S_MAX = 3.0
BYTES_MAX = 100_000
KEYS_MAX = 50

Document = dict[str, Any]


class KeysUnavailable(Exception):
    """The keys could not be fetched, or are not a key set."""


@dataclass(slots=True)
class KeySet:
    """The keys of one address; thread-safe."""

    fetch: Callable[[], Document]
    clock: Clock
    on_failure: Callable[[KeysUnavailable], None]
    _keys: dict[str | None, jwt.PyJWK] = field(default_factory=dict, repr=False)
    _fetched_at_s: float | None = None
    _tried_at_s: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def find(self, key_id: object) -> jwt.PyJWK | None:
        """The key of this id; without an id, the only key of the set."""
        with self._lock:
            now_s = self.clock.monotonic_s()
            if self._since(self._fetched_at_s, now_s) >= FRESH_S or self._named(key_id) is None:
                self._refresh(now_s)
            if self._since(self._fetched_at_s, now_s) > FRESH_S + STALE_S:
                return None
            return self._named(key_id)

    def _named(self, key_id: object) -> jwt.PyJWK | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id) if isinstance(key_id, str) else None

    def _refresh(self, now_s: float) -> None:
        if self._since(self._tried_at_s, now_s) < REFRESH_S:
            return
        self._tried_at_s = now_s
        try:
            self._keys = usable(self.fetch())
        except KeysUnavailable as failure:
            self.on_failure(failure)
        else:
            self._fetched_at_s = now_s

    @staticmethod
    def _since(moment_s: float | None, now_s: float) -> float:
        return float("inf") if moment_s is None else now_s - moment_s


def usable(document: Document) -> dict[str | None, jwt.PyJWK]:
    """The signing keys of a key set by id; other entries are skipped."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise KeysUnavailable("the key set has no list of keys")
    found: dict[str | None, jwt.PyJWK] = {}
    for entry in listed[:KEYS_MAX]:
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            continue  # A key type this version does not know, or not a key.
        if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}:
            found[key.key_id] = key
    return found


def fetched(url: str, http: httpx.Client) -> Document:
    """The key set at an address; raises KeysUnavailable."""
    body = bytearray()
    try:
        with http.stream("GET", url, timeout=FETCH_S_MAX, follow_redirects=False) as response:
            if response.status_code != httpx.codes.OK:
                raise KeysUnavailable(f"the key set responded {response.status_code}")
            for piece in response.iter_bytes():
                body += piece
                if len(body) > BYTES_MAX:
                    raise KeysUnavailable(f"the key set has more than {BYTES_MAX} bytes")
        document = httpx.Response(httpx.codes.OK, content=bytes(body)).json()
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise KeysUnavailable(f"the key set cannot be read: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise KeysUnavailable("the key set is not an object")
    return document
