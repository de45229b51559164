"""
The real secrets and ids of a test run, and a search for them in any form.

Shapes (leaks.py) find a token that looks like one. This finds the very values of this run: what the service
seals, makes at random or reads as a secret, and the ids of the users it does that for. Each value is found as
it is, in other case, in base64 of either alphabet and any alignment, URL-encoded, in hexadecimal digits, and
by each of its halves.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache, wraps
from threading import Lock
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from bg_ingest.access import grant
from bg_ingest.accounts import sealing
from bg_ingest.accounts.sealing import Purpose
from bg_ingest.wiring.access import secret_parts
from local.callers import Callers

# Shorter texts are found inside harmless ones. The ids that are shorter have a shape of their own.
_CHARS_MIN = 8
_BASE64_GROUP = 3


class RunSecrets:
    """The secrets and ids that are known by now; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kinds: dict[str | bytes, str] = {}  # By the value.

    def add(self, kind: str, *values: str | bytes) -> None:
        """Remember values that no line may contain in any form."""
        with self._lock:
            self._kinds |= {value: kind for value in values if len(value) >= _CHARS_MIN}

    def forget(self) -> None:
        """Forget all values."""
        with self._lock:
            self._kinds.clear()

    def found_in(self, text: str) -> list[str]:
        """The kinds of values that the text contains, without the values."""
        with self._lock:
            known = dict(self._kinds) if text else {}
        folded = text.casefold()
        return sorted(
            {
                f"{kind} of this run"
                for value, kind in known.items()
                if any(one in folded for one in forms_of(value))
            }
        )


@lru_cache(10_000)
def forms_of(value: str | bytes) -> frozenset[str]:
    """The forms of a value to look for, casefolded; a half counts if it is long enough by itself."""
    middle = len(value) // 2
    parts = [value, *(half for half in (value[:middle], value[middle:]) if len(half) >= _CHARS_MIN)]
    return frozenset(form.casefold() for part in parts for form in _forms(part))


def _forms(part: str | bytes) -> Iterator[str]:
    raw = part.encode(errors="surrogatepass") if isinstance(part, str) else part
    if isinstance(part, str):
        yield part
    yield quote(raw, safe="")
    yield "".join(f"%{byte:02x}" for byte in raw)
    yield raw.hex()
    for before in range(_BASE64_GROUP):
        # The characters that depend on the bytes before or after the value are left out.
        characters = b64encode(bytes(before) + raw).decode().rstrip("=")
        known = characters[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(known) >= _CHARS_MIN:
            yield known
            yield known.translate(str.maketrans("+/", "-_"))


def follow(known: RunSecrets) -> None:
    """Remember from now on what the service seals, makes at random or reads as a secret in this process."""
    _follow_results(secrets, "token_urlsafe", known)
    _follow_results(grant, "new_token", known)
    _follow_results(SecretStr, "get_secret_value", known)
    _follow_results(secret_parts, "read_secret", known)
    _follow_results(Callers, "token", known)
    seal = getattr(sealing, "_sealed")  # noqa: B009 - mypy refuses the plain form.

    def noting(key: Any, secret: bytes, bound_to: bytes) -> bytes:
        purpose, user_id, *_ = json.loads(bound_to[len(sealing.VERSION) :])
        if purpose != Purpose.QUARANTINE:  # A record's texts are words and times.
            known.add("a sealed secret", *secrets_in(secret))
        known.add("a user id", user_id)
        sealed: bytes = seal(key, secret, bound_to)
        return sealed

    setattr(sealing, "_sealed", noting)  # noqa: B010 - as above.


def secrets_in(secret: str | bytes) -> Iterator[str | bytes]:
    """The texts of a secret: those of its JSON, those of a list with commas, or itself."""
    try:
        text = secret if isinstance(secret, str) else secret.decode()
    except ValueError:
        yield secret
        return
    try:
        yield from _texts(json.loads(text))
    except ValueError:
        yield from text.split(",")


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list() | tuple():
            for each in value:
                yield from _texts(each)
        case Mapping():
            yield from _texts(list(value.values()))


def _follow_results(owner: Any, name: str, known: RunSecrets) -> None:
    make = getattr(owner, name)

    @wraps(make)
    def noting(*args: Any, **kwargs: Any) -> Any:
        made = make(*args, **kwargs)
        known.add("a secret", *secrets_in(made))
        return made

    setattr(owner, name, noting)
