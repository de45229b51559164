"""
A read grant: the access to a user's data that the user has given to an app or to another person.

    token      watch-1a2b3c4d5e6f7a8b      shown once, never stored
    digest     SHA-1 or SHA-512 of it      some clients send this instead
    lookup     SHA-256 of the digest       stored: the key of the index

A table's reader learns the lookup only. It is not a credential, and no credential can be calculated from it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bg_ingest.access.caller import Forbidden
from bg_ingest.clock import rfc_3339
from bg_ingest.readings.local_days import LocalDays, local_date_of

if TYPE_CHECKING:
    from bg_ingest.readings.store import ReadingStore


LABEL_MAX = 40
_SECRET_DIGITS = 16
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{128}", re.IGNORECASE | re.ASCII)
_NOT_IN_TOKENS = re.compile(r"[^A-Za-z0-9]+")


class Category(StrEnum):
    """A kind of data that a grant opens."""

    READINGS = "readings"
    STATISTICS = "statistics"
    COMPLETENESS = "completeness"


@dataclass(frozen=True, slots=True)
class GrantDays:
    """The local days that a grant opens: the last so many, a fixed range, or all if nothing is set."""

    last: int | None = None
    first_day: date | None = None
    last_day: date | None = None

    def on(self, today: date) -> LocalDays:
        """The days as of a date. The last days have no end: the clock of a device may run ahead."""
        if self.last is not None:
            before = timedelta(days=self.last - 1)
            return LocalDays(max(today, date.min + before) - before)
        return LocalDays(self.first_day, self.last_day)

    def as_json(self) -> Any:
        """The form the API shows it in."""
        if self.last is not None:
            return {"last": self.last}
        if self.first_day is None or self.last_day is None:
            return "all"
        return {"from": self.first_day.isoformat(), "to": self.last_day.isoformat()}


@dataclass(frozen=True, slots=True)
class Grant:
    """One read grant; its repr shows neither the user nor the label."""

    user_id: str = field(repr=False)
    grant_id: str
    label: str = field(repr=False)
    reads: tuple[Category, ...]
    days: GrantDays
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    uses: int = 0

    def has_expired(self, now: datetime) -> bool:
        """Whether the grant is no longer valid."""
        return self.expires_at is not None and self.expires_at <= now

    def as_json(self) -> dict[str, Any]:
        """The form the API shows it in."""
        return {
            "grant_id": self.grant_id,
            "label": self.label,
            "reads": list(self.reads),
            "days": self.days.as_json(),
            "created_at": rfc_3339(self.created_at),
            "expires_at": rfc_3339(self.expires_at),
            "last_used_at": rfc_3339(self.last_used_at),
            "uses": self.uses,
        }


@dataclass(frozen=True, slots=True)
class Reader:
    """
    An app or another person that reads with a grant: what the grant names, and nothing else.

    This caller has no token of the user pool.
    """

    grant: Grant

    @property
    def user_id(self) -> str:
        """The user whose data the reader sees."""
        return self.grant.user_id

    def must_read(self, category: Category) -> None:
        """Raise Forbidden unless the grant opens this kind of data."""
        if category not in self.grant.reads:
            raise Forbidden

    def days(self, reading_store: ReadingStore, now: datetime) -> LocalDays:
        """The days that the grant opens now. Today is the local date by the newest reading's offset."""
        newest = reading_store.latest(self.user_id) if self.grant.days.last else None
        return self.grant.days.on(local_date_of(now, newest.reading.local_offset_minutes if newest else None))

    def visible(self, reading_store: ReadingStore, now: datetime) -> ReadingStore:
        """Return the readings of those days. Every response to a reader reads from this store."""
        return replace(reading_store, days=self.days(reading_store, now))


def new_token(label: str) -> str:
    """A token such as `watch-1a2b3c4d5e6f7a8b`: the label as far as a URL can hold it, and 64 random bits."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    name = _NOT_IN_TOKENS.sub("-", plain).strip("-") or "reader"
    return f"{name}-{secrets.token_hex(_SECRET_DIGITS // 2)}"


def lookups_of_token(token: str) -> tuple[str, str]:
    """The lookups under which a grant is stored: by SHA-1, which most clients send, and by SHA-512."""
    sent = token.encode(errors="replace")
    return _lookup(hashlib.sha1(sent, usedforsecurity=False).hexdigest()), _lookup(
        hashlib.sha512(sent).hexdigest()
    )


def lookup_of(credential: str) -> str:
    """The lookup of what a client sends: a token, or one of its digests."""
    if _DIGEST.fullmatch(credential):
        return _lookup(credential.lower())
    return lookups_of_token(credential)[0]


def _lookup(digest: str) -> str:
    return hashlib.sha256(digest.encode()).hexdigest()
