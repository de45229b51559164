"""
The schedules, in two steps: a tick sends a message for each shard of users, a shard sends its users' orders.

This is the first step; the second is in `shard`.

    tick    claim ....... send, send, send ....... served       one message per interval, slot and shard
                |               |                       |
    a second tick of the        |             only now is the minute done: a crash before that
    minute does nothing         |             lets the claim expire, and the next tick sends again
                                v
    shard           page, cursor, page, cursor, page            one order per user, some thousands of users

A shard that was killed continues after its last page. A tick also serves the minutes that no earlier tick
served, because it was lost or killed. It goes back at most one interval, so that each user is due at most
once. The missed minutes are spread over the next ones: first the slots whose next turn is furthest away.

So every user gets at least one order per interval. They get two only after a crash, and the second costs no
call if the first was carried out meanwhile.

A tick of reconciliations also sends a shard that lists every user who ever connected. Users who are connected
and not polled are in no slot, so only this list can find them: see `Order.repairs`.

Each tick counts its turns, and each shard its orders. The counts of an hour show in the next one whether the
provider's quota is enough: see `poll_stretch`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bg_ingest.sync.dispatching import poll_slots, poll_stretch
from bg_ingest.sync.dispatching.poll_stretch import PK, PollStretch, percent_needed
from bg_ingest.sync.dispatching.shard import LISTING, Shard
from bg_ingest.sync.job import JobKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

    SendShards = Callable[[Iterable[Shard]], None]

# Longer than the function may run, and over before the tick after the next.
CLAIM_S = 55
# Missed minutes are spread over a quarter of an hour at most, which is SQS's longest delay.
CATCH_UP_MINUTES_MAX = 15
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What one tick did."""

    periods: int  # Minutes.
    shards: int
    stretch_percent: int = 100


@dataclass(frozen=True, slots=True)
class Schedule:
    """One kind of sync that is ordered by the clock."""

    kind: JobKind
    name: str


POLLS = Schedule(JobKind.INCREMENTAL, poll_stretch.NAME)
RECONCILIATIONS = Schedule(JobKind.RECONCILE, "reconcile")
SCHEDULES = {schedule.name: schedule for schedule in (POLLS, RECONCILIATIONS)}


def dispatch(  # noqa: PLR0913 - the wiring binds all but the schedule.
    schedule: Schedule = POLLS,
    *,
    table: Table,
    send: SendShards,
    intervals_s: Iterable[int],
    shards: int = 1,
    calls_per_hour: int | None = None,
    correlation_id: str,
    clock: Clock,
) -> Dispatched:
    """
    Send a message for every shard that is due and was not served yet.

    `calls_per_hour` is the provider's quota, which the polls of all users share, or None without a quota.
    """
    now_s = int(clock.now().timestamp())
    minute = now_s // _MINUTE_S
    claim = _claim(table, schedule, minute, now_s)
    if claim is None:
        return Dispatched(0, 0)
    intervals_s, shards = _known(table, claim, schedule, intervals_s, shards)
    before = _stretch(table, schedule, claim, minute, calls_per_hour)
    after = before.at(minute)
    minutes = range(before.minute + 1, minute + 1)
    turns = range(before.turn + 1, after.turn + 1)
    due = [
        Shard(
            schedule.kind,
            interval_s,
            number,
            shard,
            first,
            minute,
            now_s,
            delay_s,
            correlation_id,
            own_pace,
            percent,
        )
        for own_pace, percent, unserved in ((False, after.percent, turns), (True, 100, minutes))
        for interval_s in intervals_s
        for number, first, delay_s in _due(schedule, unserved, interval_s)
        for shard in range(poll_slots.shard_count(interval_s, shards))
    ]
    if schedule.kind is JobKind.RECONCILE:
        due.append(Shard(schedule.kind, 0, LISTING, 0, minutes[0], minute, now_s, 0, correlation_id))
    send(due)
    served = {"served": minute}
    if schedule.kind is JobKind.INCREMENTAL:
        served |= after.as_attributes()
    table.update(
        PK,
        schedule.name,
        f"SET {', '.join(f'{name} = :{name}' for name in served)} REMOVE claimed_until",
        {f":{name}": value for name, value in served.items()} | {":claim": claim["claims"]},
        "claims = :claim",
    )
    if schedule.kind is JobKind.INCREMENTAL and turns:
        poll_stretch.count(
            table, minute, {f"turns_{each}": min(len(turns), each // _MINUTE_S) for each in intervals_s}
        )
    return Dispatched(len(minutes), len(due), after.percent)


def _due(schedule: Schedule, unserved: range, interval_s: int) -> Iterator[tuple[int, int, int]]:
    """Each slot that is due, the first minute that it is served for, and the delay of its message."""
    if schedule.kind is JobKind.RECONCILE:
        minutes = unserved[-poll_slots.DAY_MINUTES :]
        numbers = poll_slots.numbers_reconciled(minutes, interval_s)
        spread = min(len(minutes), CATCH_UP_MINUTES_MAX)
        for position, number in enumerate(numbers):
            yield number, minutes[0], position * spread // len(numbers) * _MINUTE_S
        return
    minutes = unserved[-poll_slots.slot_count(interval_s) :]
    at_once = -(-(len(minutes) - 1) // CATCH_UP_MINUTES_MAX) or 1
    for missed, minute in enumerate(reversed(minutes)):
        delay = max(0, missed - 1) // at_once
        yield poll_slots.number_due(minute, interval_s), minute, delay * _MINUTE_S


def _claim(table: Table, schedule: Schedule, minute: int, now_s: int) -> Item | None:
    """The right to serve all minutes up to this one; None if they are served, or claimed by another tick."""
    never_served = "attribute_not_exists(served)"
    not_yet = "served < :period"
    unclaimed = "attribute_not_exists(claimed_until) OR claimed_until <= :now"
    write = table.update(
        PK,
        schedule.name,
        "SET served = if_not_exists(served, :previous), claimed_until = :until,"
        " claims = if_not_exists(claims, :none) + :one",
        {
            ":period": minute,
            ":previous": minute - 1,
            ":until": now_s + CLAIM_S,
            ":now": now_s,
            ":none": 0,
            ":one": 1,
        },
        f"({never_served} OR {not_yet}) AND ({unclaimed})",
    )
    return write.item if write.accepted else None


def _known(
    table: Table, claim: Item, schedule: Schedule, intervals_s: Iterable[int], shards: int
) -> tuple[list[int], int]:
    """
    Every interval, and the most shards, that users may still have: today's, and all former ones.

    Users move to the slots of a new default interval, or to other shards, when they are polled. Until then
    they are found in the old ones.
    """
    known, known_shards = set(claim.get("intervals", [])), claim.get("shards", 1)
    every, most = sorted(known | set(intervals_s)), max(shards, known_shards)
    if known != set(every) or most != known_shards:
        change = "SET intervals = :every, shards = :most"
        table.update(PK, schedule.name, change, {":every": every, ":most": most})
    return every, most


def _stretch(
    table: Table, schedule: Schedule, claim: Item, minute: int, calls_per_hour: int | None
) -> PollStretch:
    """The stretch so far, with the factor for this hour; only polls have one."""
    if schedule.kind is not JobKind.INCREMENTAL:
        return PollStretch.from_item({"served": claim["served"]})
    stretch = PollStretch.from_item(claim)
    hour = (minute - poll_stretch.COMPLETE_AFTER_MINUTES) // poll_stretch.HOUR_MINUTES
    if not calls_per_hour or hour <= stretch.hour:
        return replace(stretch, percent=stretch.percent if calls_per_hour else 100)
    counts = poll_stretch.counts_of(table, hour - 1)
    if counts is None:  # No tick came in that hour.
        return replace(stretch, hour=hour)
    users, turns = (
        {int(name.removeprefix(of)): count for name, count in counts.items() if name.startswith(of)}
        for of in ("users_", "turns_")
    )
    return replace(stretch, hour=hour, percent=percent_needed(users, turns, calls_per_hour))
