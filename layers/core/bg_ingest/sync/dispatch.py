"""
The schedules: each minute an order for every user who is due, each hour that hour's reconciliations.

    tick      claim .......... send, send, send ......... served
                |                    |                       |
    a second tick of the minute      |                 only now is the minute done
    does nothing           a crash: the claim expires, and the next tick sends again

A tick also serves the minutes that no earlier tick served, because it was lost or killed. So every user gets
at least one order per interval. They get two only after a crash, which costs one poll and harms nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest import ids
from bg_ingest.sync import poll_slots
from bg_ingest.sync.job import JobKind, Order, Trigger

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
    """Which users are due when."""

    kind: JobKind
    name: str
    period_s: int
    missed_max: int  # After a longer silence every user is due.
    slots_due: Callable[[range, int], Iterable[str]]
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
    intervals_s = _known_intervals(table, claim, schedule, intervals_s)
    # A dictionary keeps the order and drops users who are due in two of the periods.
    users = dict.fromkeys(_due(table, schedule, periods, intervals_s))
    send(
        Order(user_id, ids.new_id(now), schedule.kind, Trigger.SCHEDULE, correlation_id) for user_id in users
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
    """The right to serve all periods up to this one; None if they are served, or claimed by another tick."""
    never_served = "attribute_not_exists(served)"
    not_yet = "served < :period"
    unclaimed = "attribute_not_exists(claimed_until) OR claimed_until <= :now"
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
        f"({never_served} OR {not_yet}) AND ({unclaimed})",
    )
    return write.item if write.accepted else None


def _known_intervals(table: Table, claim: Item, schedule: Schedule, intervals_s: Iterable[int]) -> list[int]:
    """
    Every interval that users may still have: today's, and every default there ever was.

    Users with the default interval move to a new default's slots when they are polled. Until then they are
    found in the slots of the old one.
    """
    known = set(claim.get("intervals", []))
    every = sorted(known | set(intervals_s))
    if known != set(every):
        table.update(PK, schedule.name, "SET intervals = :every", {":every": every})
    return every


def _due(table: Table, schedule: Schedule, periods: range, intervals_s: Iterable[int]) -> Iterator[str]:
    due = {slot for interval_s in intervals_s for slot in schedule.slots_due(periods, interval_s)}
    for slot in sorted(due):
        for item in table.query("seat = :slot", {":slot": slot}, index="seat"):
            if schedule.user_due(periods, item["pk"]):
                yield item["pk"]
