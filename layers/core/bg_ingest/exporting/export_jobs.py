"""
The exports in the users table.

    pk                      sk                 seat
    export#ada              <id>                              an export of ada, by ada or a service
    app#export#<service>    <id>                              an export of many users, by a service
    export#ada              <id>#files         export#<id>    the files about ada in either one

All that names a user is in the user's own partition, so an erasure finds it. The index lists the users of an
export. The item with a user's files is made before the user's first reading is read. Later it is changed and
never made again, so after an erasure no file is recorded any more.

One process at a time works on an export: it claims the export, and every later write names its claim. It
renews the claim as long as it works, so the claim of a killed process expires within CLAIM_S. The item with a
user's files names the claim, too: a process that was paused for longer is refused each write.

The export has the totals of its users. A user's files are counted once, in one transaction with the mark
`counted_in`. An erasure takes them out of the totals in one transaction with removing their item.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import from_iso, to_iso
from bg_ingest.dynamo import Change
from bg_ingest.exporting.export_job import (
    UNFINISHED,
    ExportedFile,
    ExportJob,
    ExportKey,
    ExportSpan,
    ExportStatus,
    ExportTotals,
    of_user,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

# Longer than RESERVE_S and RENEW_AFTER_S together, and shorter than its message stays hidden.
CLAIM_S = 60
_IS_CLAIMED = "run_id = :run"
_FILES = "#files"
_FILES_ATTRIBUTES = ("pk", "sk", "file_list", "months_done", "unreadable", "expires_at")


class ClaimLost(Exception):
    """The export was removed, or another process works on it."""


@dataclass(frozen=True, slots=True)
class ClaimedExport:
    """An export that this process works on."""

    job: ExportJob
    run_id: str

    def with_job(self, **changes: Any) -> ClaimedExport:
        """The export after a part of the work."""
        return replace(self, job=replace(self.job, **changes))


@dataclass(frozen=True, slots=True)
class UserFiles:
    """The files of one user in one export."""

    user_id: str = field(repr=False)
    export_id: str
    expires_at: datetime
    months_done: int = 0
    unreadable: int = 0  # Months without a file, because an hour of them cannot be read.
    files: tuple[ExportedFile, ...] = ()

    @property
    def is_recorded(self) -> bool:
        """Whether there is something about the user to remember."""
        return bool(self.files) or self.unreadable > 0

    @property
    def totals(self) -> ExportTotals:
        """What they add to the totals of the export."""
        return ExportTotals.of_user(self.files, self.unreadable)


@dataclass(frozen=True, slots=True)
class ExportJobs:
    """The items of exports."""

    table: Table
    clock: Clock

    def add(self, job: ExportJob) -> None:
        """Store a new export."""
        self.table.put(_to_item(job))

    def get(self, key: ExportKey) -> ExportJob | None:
        """The export; None if it is unknown or expired. It can be one that was removed."""
        item = self.table.get(key.owner, key.export_id)
        return _from_item(item) if item and self._is_kept(item) else None

    def unfinished(self, owner: str) -> int:
        """How many exports of this owner wait or run."""
        items = self.table.query("pk = :pk", {":pk": owner}, consistent=True)
        jobs = (_from_item(item) for item in items if "#" not in item["sk"] and self._is_kept(item))
        return sum(job.seen_at(self.clock.now()).status in UNFINISHED for job in jobs)

    def claim(self, key: ExportKey) -> ClaimedExport | None:
        """Begin to work on an export; None if another process does, or if there is nothing to do."""
        now = self.clock.now()
        run_id = secrets.token_hex(8)
        write = self.table.update(
            key.owner,
            key.export_id,
            "SET export_status = :running, run_id = :run, run_until = :until, touched_at = :at",
            {
                ":running": ExportStatus.RUNNING,
                ":queued": ExportStatus.QUEUED,
                ":run": run_id,
                ":until": self._claimed_until(),
                ":now": int(now.timestamp()),
                ":at": to_iso(now),
            },
            "export_status IN (:queued, :running) AND (attribute_not_exists(run_id) OR run_until < :now)",
        )
        return ClaimedExport(_from_item(write.item), run_id) if write.accepted and write.item else None

    def renew(self, claimed: ClaimedExport) -> None:
        """Keep the claim, and record how many users there are; raises ClaimLost."""
        self._write(claimed, "SET run_until = :until,", {":until": self._claimed_until()})

    def release(self, claimed: ClaimedExport) -> None:
        """Give up the claim before all users are done; raises ClaimLost."""
        self._write(claimed, "REMOVE run_id, run_until SET", {})

    def succeed(self, claimed: ClaimedExport) -> ExportJob:
        """End the export, and return it as it is now; raises ClaimLost."""
        values = {":to": ExportStatus.SUCCEEDED, ":at": to_iso(self.clock.now())}
        change = "REMOVE run_id, run_until SET export_status = :to, finished_at = :at,"
        return _from_item(self._write(claimed, change, values))

    def count_user(self, claimed: ClaimedExport, files: UserFiles) -> bool:
        """Record that a user is done, with these files; False if the claim is lost or the user was erased."""
        key, job = claimed.job.key, claimed.job
        more, counts = _added(files.totals)
        progress = Change(
            key.owner,
            key.export_id,
            f"{more} SET users_done = :done, done_through = :after, run_until = :until",
            {
                ":done": job.users_done + 1,
                ":after": files.user_id,
                ":until": self._claimed_until(),
                ":run": claimed.run_id,
                **counts,
            },
            condition=_IS_CLAIMED,
        )
        if not files.is_recorded:
            return self.table.transact([progress])
        counted = Change(
            of_user(files.user_id),
            key.export_id + _FILES,
            "SET counted_in = :owner",
            {":owner": key.owner, ":run": claimed.run_id},
            condition=_IS_CLAIMED,
        )
        return self.table.transact([progress, counted])

    def partition(self, user_id: str) -> str:
        """The partition of a user's exports."""
        return of_user(user_id)

    def forget(self, items: Sequence[Item]) -> None:
        """Remove records about an erased user, and take the files out of the totals of their exports."""
        for item in items:
            pk, sk = item["pk"], item["sk"]
            removal = self.table.delete(pk, sk, "attribute_not_exists(counted_in)")
            if removal.accepted or removal.item is None:
                continue
            owner, export_id = removal.item["counted_in"], sk.removesuffix(_FILES)
            less, counts = _added(_files_from_item(removal.item).totals, -1)
            both = [
                Change(pk, sk, condition="attribute_exists(pk)"),
                Change(owner, export_id, less, counts, condition="attribute_exists(pk)"),
            ]
            if not self.table.transact(both):
                self.table.delete(pk, sk)  # The export itself is gone.

    def end(self, key: ExportKey, status: ExportStatus) -> bool:
        """Let an unfinished export fail, or remove any; False if there is no such export."""
        finished = (ExportStatus.SUCCEEDED, ExportStatus.FAILED)
        wanted = (*UNFINISHED, *finished) if status is ExportStatus.REMOVED else UNFINISHED
        names = {f":s{number}": each for number, each in enumerate(wanted)}
        return self.table.update(
            key.owner,
            key.export_id,
            "SET export_status = :to, finished_at = :at REMOVE run_id, run_until",
            {":to": status, ":at": to_iso(self.clock.now()), **names},
            f"export_status IN ({', '.join(names)})",
        ).accepted

    def open_files(self, user_id: str, claimed: ClaimedExport) -> UserFiles:
        """The files of a user in this export, with those that an earlier process has made."""
        first = _files_to_item(UserFiles(user_id, claimed.job.key.export_id, claimed.job.expires_at))
        pk, sk = first.pop("pk"), first.pop("sk")
        sets = ", ".join(f"{name} = if_not_exists({name}, :{name})" for name in first)
        values = {f":{name}": value for name, value in first.items()}
        write = self.table.update(pk, sk, f"SET run_id = :run, {sets}", {":run": claimed.run_id, **values})
        assert write.item is not None  # noqa: S101 - an update without a condition.
        return _files_from_item(write.item)

    def save_files(self, files: UserFiles, claimed: ClaimedExport) -> bool:
        """Record files; False if the user was erased or the export removed. Raises ClaimLost."""
        item = _files_to_item(files) | {"run_id": claimed.run_id}
        write = self.table.put(item, _IS_CLAIMED, {":run": claimed.run_id})
        if write.item is not None:
            raise ClaimLost
        return write.accepted

    def remove_files(self, user_ids: Iterable[str], export_id: str) -> None:
        """Remove the record of these users' files: of at most 25 users."""
        self.table.delete_all((of_user(user_id), export_id + _FILES) for user_id in user_ids)

    def users_of(self, key: ExportKey, after: str = "") -> Iterator[str]:
        """The users of an export after this one, in the order of their ids. The latest can be missing."""
        if key.user_id is not None:
            return iter([key.user_id] if key.user_id > after else [])
        condition = "seat = :seat AND pk > :after"
        values = {":seat": _seat(key.export_id), ":after": of_user(after)}
        items = self.table.query(condition, values, index="seat")
        return (item["pk"].removeprefix(of_user("")) for item in items)

    def files_of(self, user_ids: Sequence[str], export_id: str) -> list[UserFiles]:
        """The files of these users, in the order of their ids; of at most 100 users."""
        keys = [(of_user(user_id), export_id + _FILES) for user_id in user_ids]
        items = self.table.get_all(keys, _FILES_ATTRIBUTES, consistent=True)
        found = [_files_from_item(item) for item in items if self._is_kept(item)]
        return sorted(found, key=lambda files: files.user_id)

    def _write(self, claimed: ClaimedExport, change: str, values: Item) -> Item:
        """Change the export as long as it is claimed. Other attributes are added to the end of `change`."""
        write = self.table.update(
            claimed.job.key.owner,
            claimed.job.key.export_id,
            f"{change} users_total = :total, touched_at = :now",
            {
                ":total": claimed.job.users_total,
                ":now": to_iso(self.clock.now()),
                ":run": claimed.run_id,
                **values,
            },
            _IS_CLAIMED,
        )
        if not write.accepted or write.item is None:
            raise ClaimLost
        return write.item

    def _claimed_until(self) -> int:
        return int(self.clock.now().timestamp()) + CLAIM_S

    def _is_kept(self, item: Item) -> bool:
        kept: bool = item["expires_at"] > self.clock.now().timestamp()
        return kept


def _to_item(job: ExportJob) -> Item:
    span = job.span
    return {
        "pk": job.key.owner,
        "sk": job.key.export_id,
        "span": {
            "from": to_iso(span.start),
            "to": to_iso(span.end),
            "as_of": to_iso(span.as_of),
            "format": span.format,
            "grid": span.is_grid,
            "columns": span.tool,
        },
        "actor": job.actor,
        "deed": job.action,  # As in the audit.
        "correlation_id": job.correlation_id,
        "created_at": to_iso(job.created_at),
        "touched_at": to_iso(job.touched_at),
        "export_status": job.status,
        "users_total": job.users_total,
        "users_done": job.users_done,
        "done_through": job.after,
        "finished_at": to_iso(job.finished_at),
        "expires_at": int(job.expires_at.timestamp()),
    }


def _from_item(item: Item) -> ExportJob:
    span = item["span"]
    return ExportJob(
        key=ExportKey(item["pk"], item["sk"]),
        span=ExportSpan(
            datetime.fromisoformat(span["from"]),
            datetime.fromisoformat(span["to"]),
            datetime.fromisoformat(span["as_of"]),
            span["format"],
            span["grid"],
            span["columns"],
        ),
        actor=item["actor"],
        action=item["deed"],
        correlation_id=item["correlation_id"],
        created_at=datetime.fromisoformat(item["created_at"]),
        touched_at=datetime.fromisoformat(item["touched_at"]),
        status=ExportStatus(item["export_status"]),
        users_total=item["users_total"],
        users_done=item["users_done"],
        after=item["done_through"],
        # Absent until a user is counted.
        totals=ExportTotals(**{name: item.get(f"total_{name}", 0) for name in ExportTotals().as_json()}),
        finished_at=from_iso(item["finished_at"]),
    )


def _added(totals: ExportTotals, sign: int = 1) -> tuple[str, Item]:
    """The expression that adds these totals to those of an export, or subtracts them, and its values."""
    counts = {f"total_{name}": sign * number for name, number in totals.as_json().items()}
    expression = f"ADD {', '.join(f'{name} :{name}' for name in counts)}"
    return expression, {f":{name}": number for name, number in counts.items()}


def _files_to_item(files: UserFiles) -> Item:
    return {
        "pk": of_user(files.user_id),
        "sk": files.export_id + _FILES,
        "seat": _seat(files.export_id),
        "file_list": json.dumps([file.as_json() for file in files.files], separators=(",", ":")),
        "months_done": files.months_done,
        "unreadable": files.unreadable,
        "expires_at": int(files.expires_at.timestamp()),
    }


def _files_from_item(item: Item) -> UserFiles:
    return UserFiles(
        item["pk"].removeprefix(of_user("")),
        item["sk"].removesuffix(_FILES),
        datetime.fromtimestamp(item["expires_at"], tz=UTC),
        item["months_done"],
        item["unreadable"],
        tuple(map(_file, json.loads(item["file_list"]))),
    )


def _file(document: dict[str, Any]) -> ExportedFile:
    return ExportedFile(
        document["name"],
        document["rows"],
        document["bytes"],
        document["sha256"],
        from_iso(document["first_at"]),
        from_iso(document["last_at"]),
        document["slots"]["expected"],
        document["slots"]["received"],
    )


def _seat(export_id: str) -> str:
    return f"export#{export_id}"
