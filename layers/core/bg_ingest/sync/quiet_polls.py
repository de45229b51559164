"""
Records of quiet polls: polls with nothing to explain, a dozen in one item instead of one item each.

    sync item   1     1 2    1 2 3    ...    1 2 ... 12     -         14    14 15    no write of its own
    polls#1                                              1 2 ... 13                  for twelve of thirteen

A record is written with the end of the sync, so both happen or neither does. A sync item of more than a
kilobyte would cost a second write unit. So if a further record does not fit, all of them become one item
before the end, named by the first of them. A crash between the two writes leaves all but the last in
both places. The next poll that moves records then finds the item, and keeps what it lacks. Readers show a job
once.

    job id 14 bytes | correlation id 16 bytes | eight numbers of one to three bytes, seven bits in each:
    seconds from the id's time to the start, from there to the end, from the window's start to the start, and
    from there to the window's end; then the counts

Records of the first form, in the attribute `polls`, have 54 bytes: job id, four times, counts, correlation
id. They are read, and change their form with the next quiet poll.
"""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import FIRST_SOURCE
from bg_ingest.clock import made_at_ms
from bg_ingest.sync.job import Counts, Job, JobKind, JobStatus, Order, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.dynamo import Item
    from bg_ingest.sync.state import SyncState

WRITE_UNIT_BYTES = 1024
RECORDS = "quiet"  # The attribute of the sync item, and of an item of records.
FIRST_FORM = "polls"
_FIRST_FORM = struct.Struct(">14sIIII4H16s")
_JOB_ID_BYTES, _CAUSE_BYTES = 14, 16
IDS_BYTES = _JOB_ID_BYTES + _CAUSE_BYTES
_NUMBERS = 8
_NUMBERS_END = 1 << 21  # Three bytes: twenty-four days of seconds.


def is_quiet(job: Job, before: SyncState) -> bool:
    """
    Whether a record can hold this job, which was carried out in this state.

    A job that was tried before may have an item of its own, which must learn how the job ended.
    """
    order, counts = job.order, job.counts
    is_usual = order.is_poll and job.status is JobStatus.SUCCEEDED and order.source == FIRST_SOURCE
    is_first_try = not (order.is_retry or order.deferrals or before.failures)
    if not is_usual or not is_first_try or counts.invalid or packed_ids(order) is None:
        return False
    # A clock that was set back makes a time negative.
    numbers = _numbers(job)
    return numbers is not None and all(0 <= number < _NUMBERS_END for number in numbers)


def packed_ids(order: Order) -> bytes | None:
    """The job id and the correlation id in thirty bytes; None if the latter is not a UUID."""
    cause = _as_uuid(order.correlation_id)
    if cause is None or len(order.job_id) != 2 * _JOB_ID_BYTES:
        return None
    return bytes.fromhex(order.job_id) + cause.bytes


def poll_with(packed: bytes, user_id: str, source: str = FIRST_SOURCE) -> Order:
    """The order of a poll with these packed ids."""
    cause = str(uuid.UUID(bytes=packed[_JOB_ID_BYTES:]))
    job_id = packed[:_JOB_ID_BYTES].hex()
    return Order(user_id, job_id, JobKind.INCREMENTAL, Trigger.SCHEDULE, cause, source=source)


def records_of(item: Item) -> bytes:
    """The records in a sync item, or in an item of records; those of the first form in the present one."""
    records: bytes = item.get(RECORDS, b"")
    if FIRST_FORM not in item:
        return records
    for job_id, *times, fetched, stored, revised, duplicates, cause in _FIRST_FORM.iter_unpack(
        item[FIRST_FORM]
    ):
        seconds = [max(each, 0) for each in _seconds(job_id, *times)]
        records += _packed(job_id + cause, [*seconds, fetched, stored, revised, duplicates])
    return records


def with_record(records: bytes, job: Job) -> bytes:
    """These records and that of a quiet poll; a poll that was carried out twice keeps its first record."""
    own, numbers = packed_ids(job.order), _numbers(job)
    assert own and numbers  # noqa: S101, PT018 - `is_quiet` has checked it.
    if any(known[:_JOB_ID_BYTES] == own[:_JOB_ID_BYTES] for known, _ in _unpacked(records)):
        return records
    return records + _packed(own, numbers)


def without(records: bytes, stored: bytes) -> bytes:
    """These records except those of jobs that have one among the stored ones."""
    known = {own[:_JOB_ID_BYTES] for own, _ in _unpacked(stored)}
    return b"".join(
        _packed(own, numbers) for own, numbers in _unpacked(records) if own[:_JOB_ID_BYTES] not in known
    )


def count_in(records: bytes) -> int:
    """The number of records."""
    return sum(1 for _ in _unpacked(records))


def name_of(records: bytes) -> str:
    """The job id of the first record: the name of the item that holds these."""
    return records[:_JOB_ID_BYTES].hex()


def polls_in(records: bytes, user_id: str) -> Iterator[Job]:
    """The jobs of these records, oldest first."""
    for ids_of_poll, (waited_s, took_s, before_s, after_s, *counts) in _unpacked(records):
        started_s = _made_at_s(ids_of_poll) + waited_s
        yield Job(
            poll_with(ids_of_poll, user_id),
            JobStatus.SUCCEEDED,
            _instant(started_s),
            _instant(started_s + took_s),
            (_instant(started_s - before_s), _instant(started_s + after_s)),
            Counts(counts[0], counts[1], counts[2], counts[3]),
        )


def _numbers(job: Job) -> list[int] | None:
    """The numbers of a job's record; None if it lacks a time."""
    if not (job.started_at and job.finished_at and job.window):
        return None
    counts, job_id = job.counts, bytes.fromhex(job.order.job_id)
    times = (int(at.timestamp()) for at in (job.started_at, job.finished_at, *job.window))
    return [*_seconds(job_id, *times), counts.fetched, counts.stored, counts.revised, counts.duplicates]


def _seconds(job_id: bytes, started_s: int, finished_s: int, start_s: int, end_s: int) -> list[int]:
    return [started_s - _made_at_s(job_id), finished_s - started_s, started_s - start_s, end_s - started_s]


def _made_at_s(job_id: bytes) -> int:
    return made_at_ms(job_id.hex()) // 1_000


def _packed(ids_of_poll: bytes, numbers: Iterable[int]) -> bytes:
    record = bytearray(ids_of_poll)
    for number in numbers:
        rest = number
        while rest > 0x7F:
            record.append(rest & 0x7F | 0x80)
            rest >>= 7
        record.append(rest)
    return bytes(record)


def _unpacked(records: bytes) -> Iterator[tuple[bytes, list[int]]]:
    """The packed ids and the numbers of each record."""
    at = 0
    while at < len(records):
        ids_of_poll, at = records[at : at + IDS_BYTES], at + IDS_BYTES
        numbers = []
        for _ in range(_NUMBERS):
            number, shift = 0, 0
            while True:
                byte, at = records[at], at + 1
                number |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            numbers.append(number)
        yield ids_of_poll, numbers


def _as_uuid(text: str) -> uuid.UUID | None:
    """The UUID of this text, if it is one that comes back as the same text."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def room_in(item: Item, *, besides: str) -> int:
    """
    How many bytes the records and the value of `besides` may have, so that a write costs one unit.

    `item` is the sync item while a sync holds the lease. It is smaller at any other time.
    """
    rest = {name: value for name, value in item.items() if name not in {RECORDS, FIRST_FORM, besides}}
    return WRITE_UNIT_BYTES - item_bytes(rest | {RECORDS: b"", besides: b""})


def item_bytes(item: Item) -> int:
    """The size of an item as DynamoDB counts it: names and values; every number is an integer."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case dict():
            return 3 + sum(len(name.encode()) + _value_bytes(each) + 1 for name, each in value.items())
        case list():
            return 3 + sum(_value_bytes(each) + 1 for each in value)
    # An integer: a byte for each pair of digits up to the last pair that is not zero, one more, and one
    # for a minus.
    digits = str(abs(int(value))).lstrip("0")
    pairs = digits.zfill(len(digits) + len(digits) % 2)
    while pairs.endswith("00"):
        pairs = pairs[:-2]
    return len(pairs) // 2 + 1 + int(value < 0)
