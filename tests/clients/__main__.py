"""
Runs eight Nightscout clients, unchanged, against the running local stack; see docs/readers.md.

Each client reads with a valid grant, and its values are compared with those of the user's own API. Then that
grant is revoked, and the client must fail in its own words within REFUSED_WITHIN_S.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock
from local.paths import DEFAULT_STATE
from local.stack import load
from tests.clients.clients import CLIENTS, ClientsWorld
from tests.clients.environments import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.clients import Client

REFUSED_WITHIN_S = 60


def main() -> int:
    """Run every client; return how many checks have failed."""
    failed = 0
    with TemporaryDirectory() as folder, ClientsWorld.on(load(DEFAULT_STATE), Path(folder)) as world:
        for client in CLIENTS:
            try:
                client.install()
            except Missing as missing:
                print(f"  {client.name:<22} skipped: {missing}")
                continue
            with world.granted():
                failed += _reported(client.name, partial(client.check, world))
            failed += _reported(f"{client.name}, revoked", partial(_check_refused, client, world))
    return failed


def _check_refused(client: Client, world: ClientsWorld) -> str:
    """Expect the client's own words in time after the grant was revoked."""
    clock = SystemClock()
    revoked_s = clock.monotonic_s()
    words = client.check_refused(world)
    elapsed_s = clock.monotonic_s() - revoked_s
    assert elapsed_s <= REFUSED_WITHIN_S, f"it was refused after {elapsed_s:.0f} s only"
    return f"{words}, after {elapsed_s:.1f} s"


def _reported(name: str, check: Callable[[], str]) -> int:
    try:
        print(f"  {name:<32} {check()}", flush=True)
    except AssertionError as trouble:
        print(f"  {name:<32} FAILED: {trouble}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
