"""`python -m tools.ways [--list]`: counts the files that a request of each kind enters; 1 if a way grew."""

from __future__ import annotations

import argparse
import io
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.ways.service import Service, Unexpected, payload, running_service
from tools.ways.tracing import entered_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Limit:
    """How many files a way may enter: at most `most`, which only falls, on the way to `aim`."""

    most: int
    aim: int


# docs/decisions/tests.md says why the other aims are not reached.
WAYS = {
    "one poll order to storage": Limit(40, 40),
    "range read": Limit(16, 13),
    "webhook in": Limit(16, 14),
    "webhook, worker half": Limit(30, 22),
    "one event out": Limit(11, 9),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Trace every way and print the table."""
    parser = argparse.ArgumentParser(prog="tools.ways", description="Count the files that requests enter.")
    parser.add_argument("--list", action="store_true", help="print the files of each way as well")
    listed = parser.parse_args(arguments).list
    with redirect_stdout(io.StringIO()):  # Metrics and log lines of the service.
        ways = trace()
    print("| way | files | at most | aim |\n|---|---|---|---|")
    for way, files in ways.items():
        print(f"| {way} | {len(files)} | {WAYS[way].most} | {WAYS[way].aim} |")
    for way, files in ways.items() if listed else ():
        print(f"\n{way}:", *sorted(files), sep="\n- ")
    return 1 if any(len(files) > WAYS[way].most for way, files in ways.items()) else 0


def trace() -> dict[str, set[str]]:
    """The files that each way enters."""
    with running_service() as service:
        poll = _warm(lambda: _poll(service))
        read = _warm(lambda: _range_read(service))
        halves: list[set[str]] = []
        webhook = _warm(lambda: _webhook(service, halves))
        event = _warm(lambda: _event(service))
    return dict(zip(WAYS, (poll, read, webhook, halves[-1], event), strict=True))


def _warm(way: Callable[[], set[str]]) -> set[str]:
    """Go a way twice and return the files of the second time, when caches are filled."""
    way()
    return way()


def _poll(service: Service) -> set[str]:
    before = service.newest()
    service.move_dexcom(advance_s=1200)
    service.enqueue("worker_poll")
    records = service.queued()
    with entered_files() as files:
        service.work(records)
    if service.newest() <= before:
        raise Unexpected("The poll stored no reading.")
    return files


def _range_read(service: Service) -> set[str]:
    with entered_files() as files:
        service.request("query", "query_range", 200)
    return files


def _webhook(service: Service, halves: list[set[str]]) -> set[str]:
    event = service.webhook()
    with entered_files() as files:
        answer = service.invoke("webhook", event)
    if answer["statusCode"] != 202:
        raise Unexpected(f"The webhook got {answer['statusCode']}: {answer['body']}")
    (record,) = service.queued()
    with entered_files() as worker_half:
        service.work([record])
    halves.append(worker_half)
    return files


def _event(service: Service) -> set[str]:
    with entered_files() as files:
        done = service.invoke("publish", payload("publish_readings"))
    if done != {"batchItemFailures": []}:
        raise Unexpected("The change was not published.")
    return files


if __name__ == "__main__":
    sys.exit(main())
