"""What the deployed functions logged, in the order it happened; the emulator keeps it as CloudWatch would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.deploy import STACK_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from local.emulator import Emulator

# Lambda's own lines about each invocation, of which there is one for every line of ours.
_PLATFORM = ("START ", "END ", "REPORT ")


def function_lines(emulator: Emulator) -> list[str]:
    """Every line, oldest first."""
    logs = emulator.client("logs")
    events: list[dict[str, Any]] = []
    for group in _log_groups(emulator):
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            events += page["events"]
    events.sort(key=lambda event: event["timestamp"])
    return [event["message"] for event in events if not event["message"].startswith(_PLATFORM)]


def keep_function_lines(emulator: Emulator, file: Path) -> None:
    """Write them to a file, for after the emulator is gone."""
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
