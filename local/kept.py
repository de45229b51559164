"""The record of a stopped local cloud: what the next start needs to continue with its data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from local.errors import CannotStart
from local.ports import is_taken

if TYPE_CHECKING:
    from pathlib import Path

    from local.paths import StateFolder


@dataclass(frozen=True, slots=True)
class KeptCloud:
    """A deployed stack that is stored, with the ports that its configuration names."""

    fingerprint: str  # Of the options and the template it was deployed with.
    emulator_port: int
    simulator_port: int | None  # None: another provider.
    outputs: dict[str, str]
    webhook_secret: str
    issuer_port: int  # Of the sign-in page.

    def save(self, state: StateFolder) -> None:
        """Write the record."""
        state.kept_file.write_text(json.dumps(asdict(self), indent=2) + "\n")
        state.kept_file.chmod(0o600)


def load_kept(state: StateFolder) -> KeptCloud | None:
    """The stopped cloud of this folder; None if nothing was stored, or not completely."""
    # The emulated AWS stores its tables when it ends, so after a crash there may be none.
    if not (state.kept_file.exists() and _tables(state.kept).exists()):
        return None
    try:
        return KeptCloud(**json.loads(state.kept_file.read_text()))
    except TypeError as error:
        raise CannotStart(
            "The stored data is from another version of the local cloud. 'rm -rf .local' removes it."
        ) from error


def forget_logs(state: StateFolder) -> None:
    """Drop the stored log lines of the functions, so that they do not grow with every start."""
    file = state.kept / "aws" / "cloudwatch_logs.json"
    if not file.exists():
        return
    document = json.loads(file.read_text())
    for group in document["payload"]["log_groups"]["data"].values():
        group["streams"] = {}
    file.write_text(json.dumps(document))


def require_ports(kept: KeptCloud) -> None:
    """Check that the ports of the stored stack are free."""
    for port in filter(None, (kept.emulator_port, kept.simulator_port, kept.issuer_port)):
        if is_taken(port):
            raise CannotStart(
                f"Port {port}, which the stored data of the local cloud needs, is taken: stop the program "
                "that listens there, or remove the data with 'rm -rf .local'."
            )


def _tables(kept: Path) -> Path:
    return kept / "aws" / "dynamodb.json"
