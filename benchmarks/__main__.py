"""`python -m benchmarks [--quick]`: measures, writes results.json and REPORT.md, prints the report."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import (
    cold_start,
    cost,
    fleet,
    machine,
    page,
    price,
    reading,
    report,
    routes,
    throughput,
    webhook,
    wired,
)
from benchmarks.tables import environ, tables
from benchmarks.yardstick import Yardstick
from local.errors import CannotStart
from local.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measured import Measured


def main() -> int:
    """Measure, write the files, print the report; a quick run is only printed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="What it costs and how long it takes.")
    parser.add_argument("--quick", action="store_true", help="less of everything, and nothing written")
    quick = parser.parse_args().quick
    # The functions' log must not be mixed with the progress shown here.
    os.environ["LOG_OUTPUT"] = f"file:{os.devnull}"  # noqa: TID251 - before anything reads it.
    yardstick, where = Yardstick(), machine.described()
    try:
        measured = _measured(yardstick, quick=quick)
    except CannotStart as trouble:
        print(trouble, file=sys.stderr)
        return 1
    where["yardstick"] = yardstick.described()
    measured += price.bill(measured, yardstick.slowness)
    if not quick:
        report.write(Path(__file__).parent, where, yardstick.slowness, measured)
    print(report.as_markdown(where, yardstick.slowness, measured))
    return 0


def _measured(yardstick: Yardstick, *, quick: bool) -> list[Measured]:
    """Return all measurements but the cold starts, in the report's order, with the yardstick in between."""
    days, repeats, starts = (14, 5, 3) if quick else (90, 15, 10)
    progress, found = Progress(), []

    @contextmanager
    def step(name: str) -> Iterator[None]:
        yardstick.sample()
        with progress.step(name):
            yield

    with tables() as running:
        os.environ.update(environ(running.endpoint))  # noqa: TID251 - before anything reads it.
        # Before any user exists: a dispatcher whose first tick finds a due user would need a queue.
        with step("cold starts"):
            built = cold_start.built_layers()
            started = cold_start.cold_starts(built, running.endpoint, starts, cold_start.FIRST_EVENTS)
        with step("a day of polls"):
            found += cost.polled_day(running)
        with step(f"{days} days of history"):
            found += cost.backfill(running, days)
        with step("polls with everything they cause"):
            found += wired.polls(running)
        with step("taking readings in"):
            found += throughput.taking_in(running, days)
        with step("14 days as one response"):
            found += reading.fortnight(running, repeats)
        with step("statistics and profile"):
            found += reading.figures(running, repeats)
        with step("requests"):
            found += reading.requests(running, repeats)
        with step("every route"):
            found += routes.by_route(20 if quick else 100)
        with step("the page"):
            found += page.warm(running, repeats)
        with step("schedules"):
            found += fleet.grown(running, (10, 1_000) if quick else (10, 100, 1_000, 10_000))
    with step("webhooks"):
        sent = webhook.measured(5 if quick else 30)
    yardstick.sample()
    return [*found, *started, *sent]


if __name__ == "__main__":
    sys.exit(main())
