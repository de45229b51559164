"""
Carrying out an export: user after user and month after month, in slices of some minutes.

    claim   ada: open   read, write, record   read, write, record   manifest   progress   bob: ...
    --|---------|------------|---------------------|-------------------|-----------|---------|-----> time
                |            |                                         |           |
                |            +- a month that is recorded is            |           +- the users done are
                |               not made again                         |              not looked at again
                |                                                      +- the last object of a user
                +- an erasure removes this record; then no file is
                   recorded any more, and those made are removed

A killed process leaves its claim, which expires before its message is delivered again: see `Heartbeat`.
The next process continues after the last month that is recorded. Names of objects follow from the export, so
a file that was written and not recorded is replaced. All files are as of one instant, whenever they are made.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.access.audit import AuditEntry, AuditOutcome
from bg_ingest.clock import new_id
from bg_ingest.exporting.export_file import MEDIA_TYPES
from bg_ingest.exporting.export_job import UNFINISHED, ExportedFile, ExportStatus
from bg_ingest.exporting.export_jobs import ClaimLost
from bg_ingest.exporting.export_manifest import manifest, slots_in, time_span
from bg_ingest.exporting.export_objects import manifest_key, name_in_manifest, object_key, object_keys
from bg_ingest.readings.stored.hour_items import HourUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from bg_ingest.access.audit import Audit
    from bg_ingest.clock import Clock
    from bg_ingest.exporting.export_file import Exporter
    from bg_ingest.exporting.export_job import ExportJob, ExportMessage
    from bg_ingest.exporting.export_jobs import ClaimedExport, ExportJobs, UserFiles
    from bg_ingest.exporting.export_objects import ExportObjects, ExportRemoval
    from bg_ingest.exporting.user_list import UserList


# The time for one more month, its upload and the last writes.
RESERVE_S = 25.0
# The index lists a user within a second. The export ends only after it lists all.
_LISTED_WAIT_S_MAX = 5.0
_LISTED_PAUSE_S = 0.5
RENEW_AFTER_S = 15.0
# Longer than a claim lasts: if the process is killed, then the message finds the export without a claim.
HIDDEN_S = 75


class SliceEnd(StrEnum):
    """How a slice ended."""

    SUCCEEDED = "succeeded"
    CONTINUED = "continued"  # The rest is another message.
    DROPPED = "dropped"  # There is no such export any more, or another process has finished it.
    BUSY = "busy"  # Another process works on it: the message stays.


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What one slice did."""

    end: SliceEnd
    job: ExportJob | None = None


@dataclass(frozen=True, slots=True)
class ExportDelivery:
    """One delivery of a message."""

    message: ExportMessage
    time_left_s: Callable[[], float]
    hide: Callable[[int], None]  # Keep the message from other processes for so many seconds from now.


@dataclass(slots=True)
class Heartbeat:
    """
    Keeps an export claimed, and its message hidden, while a process works on it.

    The process repeats this every RENEW_AFTER_S, between two months:

        claim  renew  renew    killed            claim expires   delivered again
        --|------|------|--------x----------------------|--------------|----------> time
                        |<------------ CLAIM_S -------->|
                        |<----------------- HIDDEN_S ----------------->|
    """

    jobs: ExportJobs
    hide: Callable[[int], None]
    clock: Clock
    due_s: float = 0.0

    def start(self) -> None:
        """Shorten the time for which the queue hides the message: it is the longest that a slice can take."""
        self.hide(HIDDEN_S)
        self.due_s = self.clock.monotonic_s() + RENEW_AFTER_S

    def beat(self, claimed: ClaimedExport) -> None:
        """Renew the claim, and then hide the message, if it is time; raises ClaimLost."""
        if self.clock.monotonic_s() >= self.due_s:
            self.jobs.renew(claimed)
            self.start()

    def count(self, claimed: ClaimedExport, items: Iterable[object]) -> int:
        """How many items there are, which may take long to read; raises ClaimLost."""
        number = 0
        for _ in items:
            number += 1
            self.beat(claimed)
        return number


@dataclass(frozen=True, slots=True)
class ExportRun:
    """Carries out exports."""

    jobs: ExportJobs
    users: UserList
    exporter: Exporter
    objects: ExportObjects
    removal: ExportRemoval
    audit: Audit
    send: Callable[[ExportMessage], None]
    clock: Clock

    def run(self, delivery: ExportDelivery) -> SliceResult:
        """Carry out an export, or as much of it as there is time for."""
        claimed = self.jobs.claim(delivery.message.key)
        if claimed is None:
            return self._unclaimed(delivery)
        heartbeat = Heartbeat(self.jobs, delivery.hide, self.clock)
        heartbeat.start()
        try:
            return self._carry_out(claimed, delivery, heartbeat)
        except ClaimLost:
            return self._unclaimed(delivery)

    def _carry_out(
        self, claimed: ClaimedExport, delivery: ExportDelivery, heartbeat: Heartbeat
    ) -> SliceResult:
        message = delivery.message
        if claimed.job.users_total is None:
            total = heartbeat.count(claimed, self._users(message, ""))
            claimed = claimed.with_job(users_total=total)
        for user_id in self._users(message, claimed.job.after):
            files = self._export_user(claimed, user_id, delivery.time_left_s, heartbeat)
            if files is None:
                return self._continue_later(message, claimed)
            claimed = self._counted(claimed, files)
        self._wait_until_listed(claimed, heartbeat)
        return SliceResult(SliceEnd.SUCCEEDED, self.jobs.succeed(claimed))

    def _unclaimed(self, delivery: ExportDelivery) -> SliceResult:
        message = delivery.message
        job = self.jobs.get(message.key)
        if job and job.status is ExportStatus.REMOVED:
            # The process that removed it may have had no time for all, and this one may have written since.
            if self.removal.remove(message.key, delivery.time_left_s):
                return SliceResult(SliceEnd.DROPPED)
            self.send(message)
            return SliceResult(SliceEnd.CONTINUED)
        return SliceResult(SliceEnd.BUSY if job and job.status in UNFINISHED else SliceEnd.DROPPED)

    def _continue_later(self, message: ExportMessage, claimed: ClaimedExport) -> SliceResult:
        # Released first: the next message may be delivered at once.
        self.jobs.release(claimed)
        left = message.user_ids
        if left is not None:
            left = tuple(user_id for user_id in left if user_id > claimed.job.after)
        self.send(replace(message, user_ids=left))
        return SliceResult(SliceEnd.CONTINUED, claimed.job)

    def _users(self, message: ExportMessage, after: str) -> Iterator[str]:
        if message.user_ids is None:
            return self.users.ids_after(after)
        return iter(sorted(user_id for user_id in message.user_ids if user_id > after))

    def _export_user(
        self,
        claimed: ClaimedExport,
        user_id: str,
        time_left_s: Callable[[], float],
        heartbeat: Heartbeat,
    ) -> UserFiles | None:
        """Make the files of one user; None if there was no time for all."""
        job = claimed.job
        files = self.jobs.open_files(user_id, claimed)
        is_in_audit = bool(files.files) or job.key.user_id is not None  # A request about one user is.
        months = job.span.months()
        for start, end in months[files.months_done :]:
            if time_left_s() < RESERVE_S:
                return None
            heartbeat.beat(claimed)
            files = self._with_month(job, files, start, end)
            if files.files and not is_in_audit:
                self.audit.save(_audit_entry(job, user_id), AuditOutcome.DONE)
                is_in_audit = True
            if not self.jobs.save_files(files, claimed):
                return self._given_up(job, files)
        if not files.is_recorded:
            return self._given_up(job, files)
        if files.files:
            document = json.dumps(manifest(job, files.files), separators=(",", ":")).encode()
            self.objects.put(manifest_key(job, user_id), document, "application/json")
        return files

    def _counted(self, claimed: ClaimedExport, files: UserFiles) -> ClaimedExport:
        """The export with one more user."""
        if not self.jobs.count_user(claimed, files):
            if self.jobs.save_files(files, claimed):
                raise ClaimLost  # The user was not erased.
            files = self._given_up(claimed.job, files)
            if not self.jobs.count_user(claimed, files):
                raise ClaimLost
        job = claimed.job
        return claimed.with_job(
            after=files.user_id, users_done=job.users_done + 1, totals=job.totals.plus(files.totals)
        )

    def _with_month(self, job: ExportJob, files: UserFiles, start: datetime, end: datetime) -> UserFiles:
        """The files of a user with one more month; a month without a reading has no file."""
        request = job.span.request(files.user_id, start, end)
        done = replace(files, months_done=files.months_done + 1)
        try:
            table = self.exporter.table(request)
        except HourUnreadable:
            return replace(done, unreadable=done.unreadable + 1)
        first_at, last_at, slots = time_span(table)
        if first_at is None:
            return done
        content = self.exporter.file_of(table, request)
        data = content.encode() if isinstance(content, str) else content
        name = name_in_manifest(files.user_id, request)
        self.objects.put(object_key(job, name), data, MEDIA_TYPES[job.span.format])
        made = ExportedFile(
            name=name,
            rows=len(table),
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            first_at=first_at,
            last_at=last_at,
            slots_expected=slots_in(start, min(end, job.span.as_of)),
            slots_received=slots,
        )
        return replace(done, files=(*done.files, made))

    def _given_up(self, job: ExportJob, files: UserFiles) -> UserFiles:
        """Remove what was made of a user who has no readings, was erased, or whose export was removed."""
        self.objects.remove(object_keys(job, files.user_id))
        self.jobs.remove_files([files.user_id], job.key.export_id)
        return replace(files, files=(), unreadable=0)

    def _wait_until_listed(self, claimed: ClaimedExport, heartbeat: Heartbeat) -> None:
        deadline_s = self.clock.monotonic_s() + _LISTED_WAIT_S_MAX
        key = claimed.job.key
        while heartbeat.count(claimed, self.jobs.users_of(key)) < claimed.job.totals.users:
            if self.clock.monotonic_s() >= deadline_s:
                return  # A user was erased meanwhile.
            self.clock.sleep(_LISTED_PAUSE_S)


def _audit_entry(job: ExportJob, user_id: str) -> AuditEntry:
    # The same id each time, because a process may open the files of a user again.
    digits = hashlib.sha256(f"{job.key.export_id}\n{user_id}".encode()).hexdigest()
    entry_id = new_id(job.created_at, digits)
    return AuditEntry(user_id, entry_id, job.created_at, job.actor, job.action, job.correlation_id)
