"""The report of the measurements, as JSON and as Markdown."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks import cold_start, fleet, page, price, routes, wired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.measured import Measured

_ABOUT = """\
# Cost and latency

Written by `make bench`; the budgets are H1, H3, H5 and L4 of docs/requirements.md. CPU times are medians of
this machine's process time and vary with it; DynamoDB units come from DynamoDB Local's answers and do not
vary. The speed of the machine is measured by a yardstick: a fixed piece of work without code of this
project, done between the measurements. A budget of milliseconds is "met" or "MISSED". **slow machine**
means that the time exceeds the budget, but not once it is divided by this machine's slowness.

"The plain way" has one item per reading. It reads the stored items and puts the others, with the same code
otherwise and in the same run. Two concurrent writers would both put. A condition on each put would cost a
unit for every reading that is stored already. Of 90 days it stores the last 30, and its units are
multiplied. DynamoDB runs in a process of its own, so its CPU time is not counted.

A cold start is a fresh process, from its first instruction to its first answer. It has the runtime client
and boto3 as in Lambda (assumed to be compiled), the built function and the built layer. The next column is
the same start from a layer without .pyc files. The last row, the floor, is the minimum of every function
that uses DynamoDB: the runtime client, boto3 and a client of boto3's.

A webhook is timed by the clock, from outside. The emulated AWS runs every function as a process of this
machine. It polls its queues at intervals, while Lambda polls continuously.
"""

ABOUT = {
    price.SECTION: price.ASSUMED,
    wired.SECTION: wired.ABOUT,
    page.SECTION: page.ABOUT,
    fleet.SECTION: "An hour of ticks, times 24. The plain way has a call for each message.\n",
    routes.CPU_SECTION: "Payloads of events/, by the functions' own handlers and wiring.\n",
    routes.LATENCY_SECTION: "In this process, with the database beside it; neither gateway nor network.\n",
}


def as_json(machine: Mapping[str, str], slowness: float, measured: Iterable[Measured]) -> str:
    """Return everything as JSON, one member a line."""
    lines = [asdict(one) | {"verdict": one.verdict(slowness)} for one in measured]
    return json.dumps({"machine": machine, "slowness": slowness, "measured": lines}, indent=1) + "\n"


def as_markdown(machine: Mapping[str, str], slowness: float, measured: Sequence[Measured]) -> str:
    """Return a table for each section."""
    parts = [_ABOUT, "\n".join(f"- {name}: {value}" for name, value in machine.items())]
    for section, lines in groupby(measured, key=lambda one: one.section):
        beside = "without .pyc" if section == cold_start.SECTION else "the plain way"
        about = f"\n{ABOUT[section]}" if section in ABOUT else ""
        head = f"| | ours | budget | | {beside} | ratio |\n|---|---:|---:|---|---:|---:|"
        parts.append(f"\n## {section}\n{about}\n{head}\n" + "\n".join(_line(one, slowness) for one in lines))
    return "\n".join(parts) + "\n"


def write(folder: Path, machine: Mapping[str, str], slowness: float, measured: Sequence[Measured]) -> None:
    """Write both forms."""
    (folder / "results.json").write_text(as_json(machine, slowness, measured))
    (folder / "REPORT.md").write_text(as_markdown(machine, slowness, measured))


def _line(one: Measured, slowness: float) -> str:
    ratio = "" if one.beside is None else f"{one.beside / one.value:.1f}"
    cells = [one.what, _number(one.value, one.unit), _number(one.budget, one.unit), one.verdict(slowness)]
    return f"| {' | '.join([*cells, _number(one.beside, one.unit), ratio])} |"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
