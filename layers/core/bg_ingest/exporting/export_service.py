"""Exports as their callers see them: ordered, looked at page by page, and removed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.clock import new_id
from bg_ingest.exporting.export_job import UNFINISHED_MAX, ExportJob, ExportKey, ExportMessage, ExportStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bg_ingest.clock import Clock
    from bg_ingest.exporting.export_job import ExportSpan
    from bg_ingest.exporting.export_jobs import ExportJobs, UserFiles
    from bg_ingest.exporting.export_objects import ExportObjects, ExportRemoval

_USERS_AT_ONCE = 50


class TooManyExports(Exception):
    """The owner has as many unfinished exports as one owner can have."""


@dataclass(frozen=True, slots=True)
class ExportCaller:
    """The request that orders an export, as the audit records it."""

    actor: str
    action: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class ExportPage:
    """A page of the files of an export; `last` is set if there is a next page."""

    files: tuple[UserFiles, ...]
    last: str | None


@dataclass(frozen=True, slots=True)
class ExportService:
    """The exports of all owners."""

    jobs: ExportJobs
    removal: ExportRemoval
    objects: ExportObjects
    send: Callable[[ExportMessage], None]
    clock: Clock
    retention_days: int

    def order(
        self, owner: str, span: ExportSpan, caller: ExportCaller, user_ids: Sequence[str] | None
    ) -> ExportJob:
        """Order an export of these users, or of all if that is None; raises TooManyExports."""
        if self.jobs.unfinished(owner) >= UNFINISHED_MAX:
            raise TooManyExports
        now = self.clock.now()
        key = ExportKey(owner, new_id(now))
        job = ExportJob(key, span, caller.actor, caller.action, caller.correlation_id, now, now)
        self.jobs.add(job)
        try:
            self.send(ExportMessage(key, None if user_ids is None else tuple(sorted(set(user_ids)))))
        except Exception:
            self.jobs.end(key, ExportStatus.FAILED)
            raise
        return job

    def get(self, key: ExportKey) -> ExportJob | None:
        """Return the export, or None if it does not exist, was removed or has expired."""
        job = self.jobs.get(key)
        if job is None or job.status is ExportStatus.REMOVED:
            return None
        return job.seen_at(self.clock.now())

    def page(self, key: ExportKey, after: str, limit: int) -> ExportPage:
        """The files of the users after this one: at least `limit` files if there are, and whole users."""
        found: list[UserFiles] = []
        count = 0
        user_ids = self.jobs.users_of(key, after)
        while some := list(islice(user_ids, _USERS_AT_ONCE)):
            for files in self.jobs.files_of(some, key.export_id):
                if count >= limit:
                    return ExportPage(tuple(found), found[-1].user_id)
                found.append(files)
                count += len(files.files)
        return ExportPage(tuple(found), None)

    def remove(self, key: ExportKey, time_left_s: Callable[[], float]) -> bool:
        """Remove an export and its files, many files in the background. Return False if it does not exist."""
        if not self.jobs.end(key, ExportStatus.REMOVED):
            return False
        if not self.removal.remove(key, time_left_s):
            self.send(ExportMessage(key, ()))
        return True
