"""
The schedules: every minute a message for each user who is due, every hour the reconciliations of that hour.

    tick      claim .......... send, send, send ......... served
                |                    |                       |
    a doubled tick does nothing      |                 only now is the minute done
                          a crash: the claim expires, and the next tick sends again

Minutes that nobody served, because a tick was lost or died, are made up for by the next one. So every user is
sent at least once an interval; twice only after a crash, which costs a poll and harms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest.sync import poll_slots
from bg_ingest.sync.job import JobKind, Order, Trigger, new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PK = "app#dispatch"
# Longer than the function may run, and over before the tick after the next.
CLAIM_S = 55
_DAY_MINUTES = 1_440
_HOURS = 24


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What one tick did."""

    periods: int  # Minutes, or hours.
    users: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is due when."""

    kind: JobKind
    name: str
    period_s: int
    missed_max: int  # After a longer silence everybody has been due.
    seats_due: Callable[[range, int], Iterable[str]]
    user_due: Callable[[range, str], bool]


POLLS = Schedule(JobKind.INCREMENTAL, "minute", 60, _DAY_MINUTES, poll_slots.slots_due, lambda _, __: True)
RECONCILIATIONS = Schedule(
    JobKind.RECONCILE, "hour", 3_600, _HOURS, poll_slots.slots_reconciled, poll_slots.is_reconciled_in
)


def dispatch(
    schedule: Schedule = POLLS,
    *,
    table: Table,
    send: Callable[[Iterable[Order]], None],
    intervals_s: Iterable[int],
    correlation_id: str,
    clock: Clock,
) -> Dispatched:
    """Send an order for every user who is due and was not served yet."""
    now = clock.now()
    period = int(now.timestamp()) // schedule.period_s
    claim = _claim(table, schedule, period, int(now.timestamp()))
    if claim is None:
        return Dispatched(0, 0)
    periods = range(max(claim["served"] + 1, period + 1 - schedule.missed_max), period + 1)
    # A dictionary keeps the order and drops those who are due in two of the periods.
    users = dict.fromkeys(
        _due(table, schedule, periods, _known_intervals(table, claim, schedule, intervals_s))
    )
    send(
        Order(user_id, new_job_id(now), schedule.kind, Trigger.SCHEDULE, correlation_id) for user_id in users
    )
    table.update(
        PK,
        schedule.name,
        "SET served = :period REMOVE claimed_until",
        {":period": period, ":claim": claim["claims"]},
        "claims = :claim",
    )
    return Dispatched(len(periods), len(users))


def _claim(table: Table, schedule: Schedule, period: int, now_s: int) -> Item | None:
    """The right to serve everything up to this period, until it expires; None if it is served, or claimed."""
    never = "attribute_not_exists(served)"
    not_yet = "served < :period"
    nobody_is_at_it = "attribute_not_exists(claimed_until) OR claimed_until <= :now"
    write = table.update(
        PK,
        schedule.name,
        "SET served = if_not_exists(served, :previous), claimed_until = :until,"
        " claims = if_not_exists(claims, :none) + :one",
        {
            ":period": period,
            ":previous": period - 1,
            ":until": now_s + CLAIM_S,
            ":now": now_s,
            ":none": 0,
            ":one": 1,
        },
        f"({never} OR {not_yet}) AND ({nobody_is_at_it})",
    )
    return write.item if write.accepted else None


def _known_intervals(table: Table, claim: Item, schedule: Schedule, intervals_s: Iterable[int]) -> list[int]:
    """
    Every interval somebody may still sit on: those of today, and every default there ever was.

    Users of the default move to a new one's seat when they are polled; until then they are found on the old.
    """
    known = set(claim.get("intervals", []))
    faces = sorted(known | set(intervals_s))
    if known != set(faces):
        table.update(PK, schedule.name, "SET intervals = :faces", {":faces": faces})
    return faces


def _due(table: Table, schedule: Schedule, periods: range, intervals_s: Iterable[int]) -> Iterator[str]:
    due = {seat for interval_s in intervals_s for seat in schedule.seats_due(periods, interval_s)}
    for seat in sorted(due):
        for item in table.query("seat = :seat", {":seat": seat}, index="seat"):
            if schedule.user_due(periods, item["pk"]):
                yield item["pk"]
