"""Builds template.yaml with SAM and deploys it to the emulated AWS, with the same commands as for AWS."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from local.errors import CannotStart
from local.paths import CHECKOUT, DEV_BIN, EMULATOR_BIN, SAM_BIN, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.emulator import Emulator

STACK_NAME = "bg-ingest"
_LAST_LINES = 15


def build(into: Path, log: Path) -> None:
    """Build the functions and the layer, for the Python that the emulator runs functions with."""
    environ = {
        **_sam_environ(),
        "LAYER_FOR": "host",
        "HOST_PYTHON": str(EMULATOR_BIN / "python"),
        "UV": str(DEV_BIN / "uv"),
    }
    _sam(["build", "--template", str(TEMPLATE), "--build-dir", str(into)], environ, log)


def deploy(emulator: Emulator, built: Path, parameters: Mapping[str, str], log: Path) -> dict[str, str]:
    """Deploy a build and return the outputs of the stack."""
    _sam(
        [
            "deploy",
            "--template-file",
            str(built / "template.yaml"),
            "--stack-name",
            STACK_NAME,
            "--resolve-s3",
            "--no-progressbar",
            "--no-confirm-changeset",
            "--capabilities",
            "CAPABILITY_IAM",
            "CAPABILITY_AUTO_EXPAND",
            "--parameter-overrides",
            *overrides(parameters),
        ],
        {**_sam_environ(), **emulator.credentials()},
        log,
    )
    (stack,) = emulator.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """The parameters in SAM's format. SAM rejects empty values, so those get the template's default."""
    return [f"{name}={value}" for name, value in parameters.items() if value]


def function_names(emulator: Emulator) -> dict[str, str]:
    """The deployed name of each function, by its name in template.yaml."""
    resources = emulator.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)[
        "StackResources"
    ]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _sam_environ() -> dict[str, str]:
    """The environment of the shell without AWS_* variables, which could lead to a real account."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}  # noqa: TID251 - see above.
    return own | {
        "PATH": f"{SAM_BIN}:{own['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "1",  # Seconds between checks; the emulator deploys quicker than AWS.
    }


def _sam(arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603 - our own commands.
            [str(SAM_BIN / "sam"), *arguments],
            cwd=CHECKOUT,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        last = "\n  ".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        raise CannotStart(f"'sam {arguments[0]}' failed; the end of {log}:\n  {last}")
