"""The log lines of the deployed functions, in order of time, from the emulated CloudWatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.deploy import STACK_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from local.emulator import Emulator

# Lines that Lambda itself writes about each invocation.
_PLATFORM = ("START ", "END ", "REPORT ")


def function_lines(emulator: Emulator) -> list[str]:
    """Every line of the functions, oldest first."""
    logs = emulator.client("logs")
    events: list[dict[str, Any]] = []
    for group in _log_groups(emulator):
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            events += page["events"]
    events.sort(key=lambda event: event["timestamp"])
    return [event["message"] for event in events if not event["message"].startswith(_PLATFORM)]


def save_function_lines(emulator: Emulator, file: Path) -> None:
    """Write the lines to a file, which stays after the emulator has ended."""
    file.write_text("\n".join(function_lines(emulator)) + "\n")


def _log_groups(emulator: Emulator) -> list[str]:
    resources = emulator.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)[
        "StackResources"
    ]
    return [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Logs::LogGroup"
    ]
