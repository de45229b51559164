"""`python -m benchmarks [--quick]`: measures, writes results.json and REPORT.md, prints the report."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import cold_start, cost, fleet, machine, price, reading, report, routes, throughput, webhook
from benchmarks.tables import environ, tables
from local.progress import Progress
from local.trouble import CannotStart


def main() -> int:
    """Measure, write, print; a quick run is printed only."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="What it costs and how long it takes.")
    parser.add_argument("--quick", action="store_true", help="less of everything, and nothing written")
    quick = parser.parse_args().quick
    # What the functions log must not be mixed with what is told here.
    os.environ["LOG_OUTPUT"] = f"file:{os.devnull}"  # noqa: TID251 - before anything reads it.
    days, repeats, starts = (14, 5, 3) if quick else (90, 15, 10)
    progress, measured, where = Progress(), [], machine.described()
    try:
        with tables() as running:
            os.environ.update(environ(running.endpoint))  # noqa: TID251 - as above.
            # While nobody is there yet: a dispatcher whose first tick finds somebody due would want a queue.
            with progress.step("cold starts"):
                started = cold_start.cold_starts(running.endpoint, starts)
            with progress.step("a day of polls"):
                measured += cost.polled_day(running)
            with progress.step(f"{days} days of history"):
                measured += cost.backfill(running, days)
            with progress.step("taking readings in"):
                measured += throughput.taking_in(running, days)
            with progress.step("14 days as one response"):
                measured += reading.fortnight(running, repeats)
            with progress.step("requests"):
                measured += reading.requests(running, repeats)
            with progress.step("every route"):
                measured += routes.by_route(20 if quick else 100)
            with progress.step("schedules"):
                measured += fleet.grown(running, (10, 1_000) if quick else (10, 100, 1_000, 10_000))
            measured += price.bill(measured)
            measured += started
        with progress.step("webhooks"):
            measured += webhook.measured(5 if quick else 30)
    except CannotStart as trouble:
        print(trouble, file=sys.stderr)
        return 1
    if not quick:
        report.write(Path(__file__).parent, where, measured)
    print(report.as_markdown(where, measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
