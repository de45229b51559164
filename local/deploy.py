"""Builds template.yaml with SAM and deploys it to the emulated AWS, with the same commands as for AWS."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from local.emulator import REGION
from local.errors import CannotStart
from local.paths import CHECKOUT, DEV_BIN, EMULATOR_BIN, SAM_BIN, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.emulator import Emulator

STACK_NAME = "bg-ingest"
_ARCHIVES = "bg-ingest-archives"  # The bucket for the archives of functions and layers.
_LAST_LINES = 15


class SamCommand:
    """A running command of SAM, which is stopped if its block is left early."""

    def __init__(self, arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
        self._name, self._log = arguments[0], log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands.
                [str(SAM_BIN / "python"), "-P", str(CHECKOUT / "local" / "quick_sam.py"), *arguments],
                cwd=CHECKOUT,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it if it still runs."""
        with self._process:
            self._process.terminate()

    @property
    def exit_code(self) -> int | None:
        """Its exit code, or the negative number of the signal that ended it; None while it runs."""
        return self._process.poll()

    def wait(self) -> None:
        """Wait for its end. If it fails, CannotStart has the end of its output."""
        if self._process.wait() != 0:
            last = "\n  ".join(self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
            raise CannotStart(f"'sam {self._name}' failed; the end of {self._log}:\n  {last}")


def build(into: Path, log: Path) -> None:
    """Build the functions and the layer, for the Python that the emulator runs functions with."""
    with start_build(into, log) as started:
        started.wait()


def start_build(into: Path, log: Path) -> SamCommand:
    """Start a build, which needs no emulated AWS."""
    environ = {
        **_sam_environ(),
        "LAYER_FOR": "host",
        "HOST_PYTHON": str(EMULATOR_BIN / "python"),
        "UV": str(DEV_BIN / "uv"),
    }
    return SamCommand(["build", "--template", str(TEMPLATE), "--build-dir", str(into)], environ, log)


def deploy(emulator: Emulator, built: Path, parameters: Mapping[str, str], log: Path) -> dict[str, str]:
    """Deploy a build and return the outputs of the stack."""
    # For AWS `--resolve-s3` creates a bucket, by a stack of its own. Here one request does.
    archives = emulator.client("s3")
    with suppress(archives.exceptions.BucketAlreadyOwnedByYou):  # Stored data contains it.
        archives.create_bucket(Bucket=_ARCHIVES, CreateBucketConfiguration={"LocationConstraint": REGION})
    arguments = [
        "deploy",
        "--template-file",
        str(built / "template.yaml"),
        "--stack-name",
        STACK_NAME,
        "--s3-bucket",
        _ARCHIVES,
        "--no-progressbar",
        "--no-confirm-changeset",
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--parameter-overrides",
        *overrides(parameters),
    ]
    with SamCommand(arguments, {**_sam_environ(), **emulator.credentials()}, log) as started:
        started.wait()
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
        "SAM_CLI_POLL_DELAY": "0.25",  # Seconds between checks; the emulator deploys quicker than AWS.
    }
