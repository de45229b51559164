"""`python -m benchmarks.load`: a thousand readers of the local stack, while every user is polled."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks import machine
from local import demo
from local.cloud import Cloud, Options
from local.errors import CannotStart
from local.function_logs import function_lines
from local.paths import StateFolder
from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local.stack import Stack

# The simulated accounts with readings of today; number 4's receiver uploads days late.
SIMULATED = (1, 2, 3, 5, 6, 7, 8)
POLL_INTERVAL_S = 60
THINK_S = 60.0  # The mean; the pauses are from half to one and a half of it.
PENDING_S_MAX = 60.0
# A poll may find the previous one still running, and the schedule looks every ten seconds.
STALLED_AFTER_S = 4 * POLL_INTERVAL_S
# The requests of a reader and their shares: a value, a day, the sync state.
_LOOKS = {"/latest": 70, "": 25, "/sync": 5}


@dataclass(frozen=True, slots=True)
class Reader:
    """A connected user and the client that reads their data."""

    user_id: str
    token: str


@dataclass(slots=True)
class Seen:
    """The answers that the readers got."""

    took_ms: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """Return the number of failed requests."""
        return sum(count for answer, count in self.answers.items() if answer != "200")


def main() -> int:
    """Start the stack, run the readers, check for stalled polls, write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks.load", description="Many readers at once.")
    parser.add_argument("--readers", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=300)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            port=free_port(),
            poll_interval_seconds=str(POLL_INTERVAL_S),
            simulator_arguments=("--upload-delay-seconds", "0"),
            parameters={"BackfillDaysMax": "3"},
        )
        cloud = Cloud(StateFolder(Path(folder)), options)
        try:
            stack = cloud.start()
            people = [_connected(stack, number) for number in SIMULATED]
            began = datetime.now().astimezone()  # noqa: TID251 - the deployed functions' own time.
            seen = asyncio.run(_read(stack.api, people, chosen.readers, chosen.seconds))
            polls = [_polls(stack, person, began) for person in people]
            ours_ms = _ours_ms(function_lines(stack.emulator))
        except CannotStart as trouble:
            print(trouble, file=sys.stderr)
            return 1
        finally:
            cloud.end()
    told = _report(chosen.readers, chosen.seconds, seen, polls, ours_ms)
    print(told)
    Path(__file__).with_name("LOAD.md").write_text(told)
    return 1 if seen.errors or any(gap_s > STALLED_AFTER_S for _, gap_s in polls) else 0


def _connected(stack: Stack, number: int) -> Reader:
    person = Reader(f"reader-{number}", stack.callers.token(f"reader-{number}"))
    demo.connect(stack.api, person.token, person.user_id, f"SandboxUser{number}")
    demo.wait_for_backfill(stack.api, person.token, person.user_id)
    return person


async def _read(api: str, people: Sequence[Reader], readers: int, seconds: int) -> Seen:
    seen, ends_s = Seen(), time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=readers)
    async with httpx.AsyncClient(
        base_url=api, timeout=PENDING_S_MAX, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(
            *(_reader(client, people[n % len(people)], n, seen, ends_s) for n in range(readers))
        )
    return seen


async def _reader(client: httpx.AsyncClient, person: Reader, number: int, seen: Seen, ends_s: float) -> None:
    chance = random.Random(number)  # noqa: S311 - the same readers in every run.
    await asyncio.sleep(chance.random() * THINK_S)
    while time.perf_counter() < ends_s:
        (path,) = chance.choices(list(_LOOKS), list(_LOOKS.values()))
        began_s = time.perf_counter()
        try:
            answer = await client.get(
                f"/api/bg/{person.user_id}{path}", headers={"Authorization": f"Bearer {person.token}"}
            )
            seen.answers[str(answer.status_code)] += 1
        except httpx.HTTPError as error:
            seen.answers[type(error).__name__] += 1
        seen.took_ms.append((time.perf_counter() - began_s) * 1_000)
        await asyncio.sleep(THINK_S * (0.5 + chance.random()))


def _polls(stack: Stack, person: Reader, began: datetime) -> tuple[int, float]:
    """Return the number of polls of this user and the longest time between two."""
    headers = {"Authorization": f"Bearer {person.token}"}
    url = f"{stack.api}/api/bg/{person.user_id}/sync/jobs?limit=200"
    jobs = httpx.get(url, headers=headers, timeout=PENDING_S_MAX, trust_env=False).raise_for_status().json()
    ended = datetime.now().astimezone()  # noqa: TID251 - as above.
    done = sorted(
        at
        for job in jobs
        if job["status"] == "succeeded" and (at := datetime.fromisoformat(job["finished_at"])) >= began
    )
    edges = [began, *done, ended]
    longest = max(later - earlier for earlier, later in pairwise(edges))
    return len(done), longest.total_seconds()


def _ours_ms(lines: Iterable[str]) -> list[float]:
    """Return the durations from the functions' own log."""
    found: list[float] = []
    for line in lines:
        if '"api_latency_ms"' in line:
            value = json.loads(line).get("api_latency_ms", [])
            found += value if isinstance(value, list) else [value]
    return found


def _report(
    readers: int, seconds: int, seen: Seen, polls: Sequence[tuple[int, float]], ours_ms: Sequence[float]
) -> str:
    where = "\n".join(f"- {name}: {value}" for name, value in machine.described().items())
    wait, ours = _quantiles(seen.took_ms), _quantiles(ours_ms)
    counts = ", ".join(f"{count:,} x {answer}" for answer, count in sorted(seen.answers.items()))
    lines = {
        "answers": counts,
        "errors": str(seen.errors),
        "answers a second": f"{len(seen.took_ms) / seconds:.1f}",
        "a reader waits, median": f"{wait[0]:,.0f} ms",
        "a reader waits, 99th percentile": f"{wait[1]:,.0f} ms",
        "time in the handlers, median": f"{ours[0]:,.0f} ms",
        "time in the handlers, 99th percentile": f"{ours[1]:,.0f} ms",
        "successful polls during the test": str(sum(count for count, _ in polls)),
        "longest time between two polls": f"{max(gap_s for _, gap_s in polls):.0f} s",
    }
    table = "\n".join(f"| {what} | {value} |" for what, value in lines.items())
    return f"""\
# Many readers at once

Written by `make load`: {readers:,} readers for
{seconds} s, each with about one request in {THINK_S:.0f} s. {len(SIMULATED)} users are polled
every {POLL_INTERVAL_S} s
(stalled: no poll for {STALLED_AFTER_S} s). The template is deployed on the emulated AWS.

{where}

| | |
|---|---:|
{table}

The waiting time outside the handlers belongs to the emulator. Its gateway, queue of invocations
and database are one Python process, in place of API Gateway, Lambda and DynamoDB.
"""


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return 0.0, 0.0
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


if __name__ == "__main__":
    sys.exit(main())
