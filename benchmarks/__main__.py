"""`python -m benchmarks [--quick]`: measures, writes results.json and REPORT.md, prints the report."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks import cold_start, cost, machine, reading, report, webhook
from benchmarks.tables import tables
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
            with progress.step("a day of polls"):
                measured += cost.polled_day(running)
            with progress.step(f"{days} days of history"):
                measured += cost.backfill(running, days)
            with progress.step("14 days as one response"):
                measured += reading.fortnight(running, repeats)
            with progress.step("requests"):
                measured += reading.requests(running, repeats)
            with progress.step("cold starts"):
                measured += cold_start.cold_starts(running.endpoint, starts)
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
