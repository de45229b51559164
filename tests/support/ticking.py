"""Both steps of the dispatcher at once: a tick, and the shards it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.sync.dispatching.dispatch import POLLS, Dispatched, Schedule, dispatch
from bg_ingest.sync.dispatching.shard import Shard, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table
    from bg_ingest.sync.job import Order


def tick(
    schedule: Schedule = POLLS,
    *,
    table: Table,
    send: Callable[[Iterable[Order]], None],
    intervals_s: Iterable[int],
    clock: Clock,
    shards: int = 1,
    calls_per_hour: int | None = None,
) -> Dispatched:
    """Dispatch, and serve each shard at once, regardless of its delay."""
    sent: list[Shard] = []
    done = dispatch(
        schedule,
        table=table,
        send=sent.extend,
        intervals_s=intervals_s,
        shards=shards,
        calls_per_hour=calls_per_hour,
        correlation_id="id",
        clock=clock,
    )
    for shard in sent:
        serve(shard, table=table, send=send, clock=clock)
    return done
