"""`python -m benchmarks.load`: a thousand readers on the deployed local stack, while everybody is polled."""

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

# The simulated people who have readings of today; number 4's receiver uploads days late.
SIMULATED = (1, 2, 3, 5, 6, 7, 8)
POLL_INTERVAL_S = 60
THINK_S = 60.0  # On average; from half to one and a half of it.
PENDING_S_MAX = 60.0
# A poll may find the one before still running, and the schedule looks every ten seconds.
STALLED_AFTER_S = 4 * POLL_INTERVAL_S
# What a reader looks at, and how often: a value, a day, how the syncing stands.
_LOOKS = {"/latest": 70, "": 25, "/sync": 5}


@dataclass(frozen=True, slots=True)
class Person:
    """A connected user, and who reads their data."""

    user_id: str
    token: str


@dataclass(slots=True)
class Seen:
    """What the readers saw."""

    took_ms: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """Answers that are none."""
        return sum(count for answer, count in self.answers.items() if answer != "200")


def main() -> int:
    """Start, read, look whether anything stalled, tell."""
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
    told = _told(chosen.readers, chosen.seconds, seen, polls, ours_ms)
    print(told)
    Path(__file__).with_name("LOAD.md").write_text(told)
    return 1 if seen.errors or any(gap_s > STALLED_AFTER_S for _, gap_s in polls) else 0


def _connected(stack: Stack, number: int) -> Person:
    person = Person(f"reader-{number}", stack.callers.token(f"reader-{number}"))
    demo.connect(stack.api, person.token, person.user_id, f"SandboxUser{number}")
    demo.wait_for_backfill(stack.api, person.token, person.user_id)
    return person


async def _read(api: str, people: Sequence[Person], readers: int, seconds: int) -> Seen:
    seen, ends_s = Seen(), time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=readers)
    async with httpx.AsyncClient(
        base_url=api, timeout=PENDING_S_MAX, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(
            *(_reader(client, people[n % len(people)], n, seen, ends_s) for n in range(readers))
        )
    return seen


async def _reader(client: httpx.AsyncClient, person: Person, number: int, seen: Seen, ends_s: float) -> None:
    chance = random.Random(number)  # noqa: S311 - the same readers every time.
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


def _polls(stack: Stack, person: Person, began: datetime) -> tuple[int, float]:
    """How often the person was polled meanwhile, and the longest time without."""
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
    """What the functions themselves say they took."""
    found: list[float] = []
    for line in lines:
        if '"api_latency_ms"' in line:
            value = json.loads(line).get("api_latency_ms", [])
            found += value if isinstance(value, list) else [value]
    return found


def _told(
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
        "of it in our handlers, median": f"{ours[0]:,.0f} ms",
        "of it in our handlers, 99th percentile": f"{ours[1]:,.0f} ms",
        "polls that succeeded meanwhile": str(sum(count for count, _ in polls)),
        "the longest anybody was not polled": f"{max(gap_s for _, gap_s in polls):.0f} s",
    }
    table = "\n".join(f"| {what} | {value} |" for what, value in lines.items())
    return f"""\
# Many readers at once

Written by `make load`: {readers:,} readers, each of whom looks about once in {THINK_S:.0f} s, for
{seconds} s, at the data of {len(SIMULATED)} people who are polled every {POLL_INTERVAL_S} s meanwhile
(stalled: not for {STALLED_AFTER_S} s); the template deployed on the emulated AWS of this machine.

{where}

| | |
|---|---:|
{table}

What a reader waits beyond our handlers is the emulator's: its gateway, its queue in front of the functions
and its database are one Python process, in place of API Gateway, Lambda and DynamoDB.
"""


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return 0.0, 0.0
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


if __name__ == "__main__":
    sys.exit(main())
