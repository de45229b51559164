"""
Records of quiet polls: polls with nothing to explain, six in one item instead of one item each.

    sync item   1     1 2    1 2 3    1 2 3 4    1 2 3 4 5    -    7     7 8        one write less for
    polls#1                                                   1 2 3 4 5 6           five of six polls

A record is written with the release of the lease, so both happen or neither does. Before the sixth release,
the six records become one item, named by the first of them. A crash between the two writes leaves the first
five in both places. The next poll then finds the item and starts a new list; readers show a job once.

    job id 14 bytes, start and end 4 each, window 4 each, counts 2 each, correlation id 16
"""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import FIRST_SOURCE
from bg_ingest.sync.job import Counts, Job, JobKind, JobStatus, Order, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.sync.state import SyncState

# The sync item stays below a kilobyte, the size of one write unit.
RECORDS_MAX = 5
_RECORD = struct.Struct(">14sIIII4H16s")


def is_quiet(job: Job, before: SyncState) -> bool:
    """
    Whether a record can hold this job, which was carried out in this state.

    A job that was tried before may have an item of its own, which must learn how the job ended.
    """
    order, counts = job.order, job.counts
    is_usual = order.is_poll and job.status is JobStatus.SUCCEEDED and order.source == FIRST_SOURCE
    is_first_try = not (order.is_retry or order.deferrals or before.failures)
    return (
        is_usual
        and is_first_try
        and None not in {job.started_at, job.finished_at, job.window}
        and not counts.invalid
        and max(_numbers(counts)) < 1 << 16
        and _as_uuid(order.correlation_id) is not None
        and len(order.job_id) == 2 * 14
    )


def with_record(records: bytes, job: Job) -> bytes:
    """These records and that of a quiet poll; a poll that was carried out twice keeps its first record."""
    assert job.started_at and job.finished_at and job.window  # noqa: S101, PT018 - `is_quiet` has checked it.
    if any(known.order.job_id == job.order.job_id for known in polls_in(records, job.order.user_id)):
        return records
    cause = _as_uuid(job.order.correlation_id)
    assert cause  # noqa: S101 - as above.
    times = (int(at.timestamp()) for at in (job.started_at, job.finished_at, *job.window))
    job_id = bytes.fromhex(job.order.job_id)
    return records + _RECORD.pack(job_id, *times, *_numbers(job.counts), cause.bytes)


def count_in(records: bytes) -> int:
    """The number of records."""
    return len(records) // _RECORD.size


def name_of(records: bytes) -> str:
    """The job id of the first record: the name of the item that holds these and a sixth one."""
    return records[:14].hex()


def polls_in(records: bytes, user_id: str) -> Iterator[Job]:
    """The jobs of these records, oldest first."""
    for job_id, started, finished, start, end, *counts, cause in _RECORD.iter_unpack(records):
        order = Order(
            user_id,
            job_id.hex(),
            JobKind.INCREMENTAL,
            Trigger.SCHEDULE,
            str(uuid.UUID(bytes=cause)),
        )
        yield Job(
            order,
            JobStatus.SUCCEEDED,
            _instant(started),
            _instant(finished),
            (_instant(start), _instant(end)),
            Counts(*counts),
        )


def _numbers(counts: Counts) -> tuple[int, int, int, int]:
    return counts.fetched, counts.stored, counts.revised, counts.duplicates


def _as_uuid(text: str) -> uuid.UUID | None:
    """The UUID of this text, if it is one that comes back as the same text."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
