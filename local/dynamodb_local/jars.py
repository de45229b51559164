"""Installs DynamoDB Local with Maven into .local."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from local.errors import CannotStart
from local.paths import CHECKOUT

POM = Path(__file__).with_name("pom.xml")
FOLDER = CHECKOUT / ".local" / "dynamodb-local"
JAVA_MIN = 17  # What DynamoDB Local 2 is compiled for.
_FETCH_S_MAX = 600


def missing() -> str | None:
    """The missing requirement, in one line; None if nothing is missing."""
    found = _java_compiler_major()
    if found is None:
        return f"DynamoDB Local needs a Java development kit, {JAVA_MIN} or newer, and there is none"
    if found < JAVA_MIN:
        return f"DynamoDB Local needs Java {JAVA_MIN} or newer, and this machine's is {found}"
    if not is_fetched() and shutil.which("mvn") is None:
        return "DynamoDB Local is fetched by Maven, and there is no mvn on the PATH"
    return None


def is_fetched() -> bool:
    """Whether all jars of this pom.xml are installed."""
    copied = FOLDER / POM.name
    return copied.exists() and copied.read_bytes() == POM.read_bytes()


def fetch() -> None:
    """Have Maven copy the jars; raise CannotStart if Maven fails."""
    if is_fetched():
        return
    print("Fetching DynamoDB Local from Maven Central ...", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={FOLDER}"]
    done = subprocess.run(  # noqa: S603 - our own command.
        ["mvn", "--batch-mode", "--quiet", "--file", str(POM), *goal],  # noqa: S607 - wherever Maven is.
        capture_output=True,
        text=True,
        check=False,
        timeout=_FETCH_S_MAX,
    )
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["no reason was printed"]
        raise CannotStart(f"Maven could not fetch DynamoDB Local: {errors[0]}")
    # The last step, so that a folder with a pom.xml is complete.
    shutil.copy(POM, FOLDER)


def _java_compiler_major() -> int | None:
    try:
        done = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=False)  # noqa: S607 - wherever Java is.
    except FileNotFoundError:
        return None
    # macOS has a javac that only prints where to download Java.
    found = re.search(r"javac (\d+)", done.stdout + done.stderr)
    return int(found[1]) if found else None
