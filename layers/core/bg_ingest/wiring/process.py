"""
One process of the service: its settings, its clock, and its parts, each made at its first use.

The modules `*_parts` have one function per part, which takes the process. `process.part(function)` returns
the one instance of that part: making parts late is what keeps a cold start short, keeping them makes a warm
start warm. A part of which there are several, such as a client of each host, takes more arguments.
"""

from __future__ import annotations

from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.settings import Settings

    Part = TypeVar("Part")
    Of = TypeVarTuple("Of")


class Process:
    """The settings, clock and parts of one process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._parts: dict[tuple[Any, ...], Any] = {}
        self._lock = RLock()  # Without it, two threads that come first would make one part each.

    def part(self, make: Callable[[Process, *Of], Part], *of: *Of) -> Part:
        """The one instance of a part, made at its first use."""
        key = (make, *of)
        with self._lock:
            if key not in self._parts:
                self._parts[key] = make(self, *of)
            part: Part = self._parts[key]
        return part


@cache
def process() -> Process:
    """The process that this code runs in; raises SettingsInvalid."""
    return Process(load(), SystemClock())


def readings_table(own: Process) -> Table:
    """The readings table."""
    client = aws_clients.dynamodb(own.settings.aws_region, own.settings.dynamodb_endpoint)
    return Table(client, own.settings.dynamodb_table)


def users_table(own: Process) -> Table:
    """The users table."""
    client = aws_clients.dynamodb(own.settings.aws_region, own.settings.dynamodb_endpoint)
    return Table(client, own.settings.users_table)


def intake_table(own: Process) -> Table:
    """The intake table: received webhooks, the keys of their messages, and counts for limits."""
    client = aws_clients.dynamodb(own.settings.aws_region, own.settings.dynamodb_endpoint)
    return Table(client, own.settings.intake_table)
