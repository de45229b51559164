"""The check of a running local cloud: whether it works, and whether it is the one that `make up` asks for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import httpx

from local.errors import CannotStart
from local.paths import CHECKOUT
from local.processes import Processes
from local.stack import Stack, load

if TYPE_CHECKING:
    from pathlib import Path

    from local.cloud import Options
    from local.paths import StateFolder

_READY_S_MAX = 30.0
_RESTART = "Run 'make down', then 'make up'."


def fingerprint(options: Options, checkout: Path = CHECKOUT) -> str:
    """A hash of the options and of what is deployed; a cloud that stays runs the code of the checkout."""
    digest = sha256(repr(options).encode())
    for path in sorted(_deployed(checkout, with_code=not options.stays)):
        digest.update(str(path.relative_to(checkout)).encode() + path.read_bytes())
    return digest.hexdigest()


def _deployed(checkout: Path, *, with_code: bool) -> list[Path]:
    patterns = ["*.yaml", "layers/*/requirements.txt", "layers/*/Makefile"]
    if with_code:
        patterns += ["layers/**/*.*", "functions/**/*.*"]
    found = {path for pattern in patterns for path in checkout.glob(pattern)}
    return [path for path in found if path.is_file() and path.suffix != ".pyc"]


def check(state: StateFolder, options: Options) -> Stack:
    """Return the running cloud; CannotStart says what is wrong with it."""
    processes = Processes(state.processes_file)
    ended = sorted({process.name for process in processes.all()} - {p.name for p in processes.alive()})
    if ended:
        raise CannotStart(
            f"Part of the local cloud has ended: {', '.join(ended)}; see {state.logs}. {_RESTART}"
        )
    if not state.stack_file.exists():
        raise CannotStart("Another start is in progress, or was interrupted. Run 'make down' first.")
    if not state.fingerprint.exists() or state.fingerprint.read_text() != fingerprint(options):
        raise CannotStart(f"The local cloud runs with other options, or another template. {_RESTART}")
    stack = load(state)
    if not _is_ready(stack):
        raise CannotStart(f"The local cloud is not ready: see {stack.api}/ready and {state.logs}. {_RESTART}")
    return stack


def _is_ready(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.api}/ready", timeout=_READY_S_MAX, trust_env=False).is_success
    except httpx.HTTPError:
        return False
