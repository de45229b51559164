"""An export job: its request, its users, its progress, and the queue message that orders it. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import rfc_3339
from bg_ingest.exporting.export_file import ExportRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.exporting.export_file import FileFormat
    from bg_ingest.exporting.tables.tool_columns import Tool


USER_PREFIX = "export#"
# A hash: the key must not reveal which services use this one.
_SERVICE_PREFIX = "app#export#"
SPAN_MAX = timedelta(days=3_700)  # Longer than the longest retention.
USERS_MAX = 1_000
UNFINISHED_MAX = 3
# The bucket's lifecycle rule removes every object after the same time.
KEPT = timedelta(days=7)
# A slice takes minutes, and a queue of a hundred exports some hours. Then the message is lost.
ABANDONED_AFTER = timedelta(hours=24)
DELIVERIES_MAX = 5  # Then SQS moves the message to the dead letters.


class ExportStatus(StrEnum):
    """The state of an export, as callers see it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REMOVED = "removed"  # Callers do not see it: for them, there is no such export.


UNFINISHED = (ExportStatus.QUEUED, ExportStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class ExportKey:
    """The key of an export: the partition of its owner, and its id."""

    owner: str = field(repr=False)
    export_id: str

    @property
    def user_id(self) -> str | None:
        """The user whose export it is; None for a service's."""
        is_users = self.owner.startswith(USER_PREFIX)
        return self.owner.removeprefix(USER_PREFIX) if is_users else None


@dataclass(frozen=True, slots=True)
class ExportSpan:
    """What every file of an export has in common."""

    start: datetime
    end: datetime
    as_of: datetime
    format: FileFormat = "parquet"
    is_grid: bool = False
    tool: Tool | None = None

    def months(self) -> list[tuple[datetime, datetime]]:
        """The range in parts, cut at the months of UTC: one file each."""
        edges = [self.start.astimezone(UTC)]
        end = self.end.astimezone(UTC)
        while (following := _next_month(edges[-1])) < end:
            edges.append(following)
        return list(zip(edges, [*edges[1:], end], strict=True)) if self.start < self.end else []

    def request(self, user_id: str, start: datetime, end: datetime) -> ExportRequest:
        """The request for one file."""
        return ExportRequest(user_id, start, end, self.format, self.is_grid, self.as_of, self.tool)


@dataclass(frozen=True, slots=True)
class ExportTotals:
    """What an export has written so far, without the users who were erased since."""

    users: int = 0  # With at least one file.
    files: int = 0
    rows: int = 0
    bytes: int = 0
    unreadable: int = 0  # Months without a file, because an hour of them cannot be read.

    @classmethod
    def of_user(cls, files: Sequence[ExportedFile], unreadable: int) -> ExportTotals:
        """The totals of one user."""
        return cls(
            int(bool(files)),
            len(files),
            sum(file.rows for file in files),
            sum(file.size for file in files),
            unreadable,
        )

    def plus(self, other: ExportTotals) -> ExportTotals:
        """The totals of both."""
        return ExportTotals(
            self.users + other.users,
            self.files + other.files,
            self.rows + other.rows,
            self.bytes + other.bytes,
            self.unreadable + other.unreadable,
        )

    def as_json(self) -> dict[str, int]:
        """The form of the manifest."""
        return {
            "users": self.users,
            "files": self.files,
            "rows": self.rows,
            "bytes": self.bytes,
            "unreadable": self.unreadable,
        }


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file: its rows and bytes, and which slots of its range have a reading."""

    name: str
    rows: int
    size: int
    sha256: str
    first_at: datetime | None = field(repr=False)
    last_at: datetime | None = field(repr=False)
    slots_expected: int
    slots_received: int

    def as_json(self) -> dict[str, Any]:
        """The form of the manifest and of the stored item."""
        return {
            "name": self.name,
            "rows": self.rows,
            "bytes": self.size,
            "sha256": self.sha256,
            "first_at": rfc_3339(self.first_at),
            "last_at": rfc_3339(self.last_at),
            "slots": {"expected": self.slots_expected, "received": self.slots_received},
        }


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One export and its progress. The users before `after` are done, and `after` itself."""

    key: ExportKey
    span: ExportSpan
    actor: str = field(repr=False)  # Of the caller, for the audit.
    action: str
    correlation_id: str
    created_at: datetime
    touched_at: datetime
    status: ExportStatus = ExportStatus.QUEUED
    users_total: int | None = None  # None until the users are counted.
    users_done: int = 0
    after: str = field(default="", repr=False)
    totals: ExportTotals = ExportTotals()
    finished_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When the files and the record of the export are removed."""
        return self.created_at + KEPT

    def progress(self, months_done: int = 0) -> dict[str, int | None]:
        """Months of users, done and in total; `months_done` are those of the user in work."""
        months = len(self.span.months())
        done = self.users_done * months + months_done
        total = None if self.users_total is None else max(self.users_total * months, done)
        return {"done": done, "total": total}

    def seen_at(self, now: datetime) -> ExportJob:
        """The export as callers see it: one whose message is lost has failed."""
        if self.status not in UNFINISHED or now - self.touched_at < ABANDONED_AFTER:
            return self
        return replace(self, status=ExportStatus.FAILED)


@dataclass(frozen=True, slots=True)
class ExportMessage:
    """A queue message: carry out this export, or the rest of it. `user_ids` is None for all users."""

    key: ExportKey
    user_ids: tuple[str, ...] | None

    @classmethod
    def parse(cls, body: str) -> ExportMessage:
        """The message in a body; raises ValueError, KeyError or TypeError on an invalid one."""
        document = json.loads(body)
        user_ids = document["users"]
        key = ExportKey(document["owner"], document["export_id"])
        return cls(key, None if user_ids is None else tuple(user_ids))

    def body(self) -> str:
        """The text of the message."""
        document = {"owner": self.key.owner, "export_id": self.key.export_id, "users": self.user_ids}
        return json.dumps(document, separators=(",", ":"))


def of_user(user_id: str) -> str:
    """The partition of a user's exports, and of what services have exported of the user."""
    return USER_PREFIX + user_id


def of_service(actor: str) -> str:
    """The partition of a service's exports of many users."""
    return _SERVICE_PREFIX + hashlib.sha256(actor.encode()).hexdigest()


def _next_month(instant: datetime) -> datetime:
    first = instant.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
