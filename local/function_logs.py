"""The log lines of the deployed functions, in order of time, from the emulated CloudWatch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.deploy import STACK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bg_ingest.clock import Clock
    from local.emulator import Emulator

# Lines that Lambda itself writes about each invocation.
_PLATFORM = ("START ", "END ", "REPORT ")
_FOLLOW_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class LineFilter:
    """The lines to show; None: of every function, and with every correlation id."""

    function: str | None = None  # Its name in template.yaml, or a part of it.
    correlation_id: str | None = None

    def accepts(self, line: str) -> bool:
        """Whether to show a line. A filter hides every line that is not JSON."""
        if self.function is None and self.correlation_id is None:
            return True
        try:
            members = json.loads(line)
        except ValueError:
            return False
        return (self.function or "").lower() in str(members.get("function", "")).lower() and (
            self.correlation_id in {None, *_correlation_ids(members)}
        )


EVERY_LINE = LineFilter()


def function_lines(emulator: Emulator, wanted: LineFilter = EVERY_LINE) -> list[str]:
    """Every wanted line of the functions, oldest first."""
    return [event["message"] for event in log_events(emulator) if wanted.accepts(event["message"])]


def follow(read: Callable[[], list[dict[str, Any]]], wanted: LineFilter, clock: Clock) -> Iterator[str]:
    """Every wanted line of the events that `read` returns, and then each new one."""
    seen: set[str] = set()
    while True:
        for event in read():
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                if wanted.accepts(event["message"]):
                    yield event["message"]
        clock.sleep(_FOLLOW_EVERY_S)


def save_function_lines(emulator: Emulator, file: Path) -> None:
    """Write the lines to a file, which stays after the emulator has ended."""
    file.write_text("\n".join(function_lines(emulator)) + "\n")


def log_events(emulator: Emulator) -> list[dict[str, Any]]:
    """Every event of the functions' log groups, oldest first, without Lambda's own lines."""
    logs = emulator.client("logs")
    events: list[dict[str, Any]] = []
    for group in _log_groups(emulator):
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            events += page["events"]
    events.sort(key=lambda event: event["timestamp"])
    return [event for event in events if not event["message"].startswith(_PLATFORM)]


def _correlation_ids(members: dict[str, Any]) -> list[Any]:
    """The id of a line, and those of the polls that it lists."""
    return [each.get("correlation_id") for each in (members, *members.get("polls", ()))]


def _log_groups(emulator: Emulator) -> list[str]:
    resources = emulator.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)[
        "StackResources"
    ]
    return [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Logs::LogGroup"
    ]
