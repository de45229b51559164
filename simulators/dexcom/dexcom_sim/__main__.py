"""The command `dexcom-sim`: serve the simulated Dexcom over HTTP."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from dexcom_sim.http.app import create_app
from dexcom_sim.oauth import RegisteredApplication
from dexcom_sim.people.population import PEOPLE
from dexcom_sim.people.uploads import PHONE_DELAY_S
from dexcom_sim.saved_state import restore, save
from dexcom_sim.simulator import SimulatedDexcom

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

# A slow response may have ten minutes to go. Stopping the simulator does not wait for it longer than this.
_SHUTDOWN_S_MAX = 2


class _Server(uvicorn.Server):
    """A server that prints its address when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"simulated Dexcom ready on http://{host}:{port}", flush=True)


def parse_arguments(line: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse and check the command line."""
    defaults = RegisteredApplication()
    parser = argparse.ArgumentParser(
        prog="dexcom-sim",
        description="Serve a simulated Dexcom over HTTP, with simulated users and readings.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_installed_version())
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=5002, help="the port to listen on; 0 selects a free one")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other readings")
    parser.add_argument("--people", type=int, default=PEOPLE, help="the number of sandbox users")
    parser.add_argument("--client-id", default=defaults.client_id, help="of the application that may connect")
    parser.add_argument("--client-secret", default=defaults.client_secret, help="of the same application")
    parser.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        help="an allowed redirect address, may be repeated; if left out, every http(s) address is allowed",
    )
    parser.add_argument(
        "--upload-delay-seconds",
        type=int,
        default=PHONE_DELAY_S,
        help="how late phone uploads become visible; 0 means at once",
    )
    parser.add_argument(
        "--reliable",
        action="append",
        default=[],
        metavar="USER",
        help="a sandbox user without gaps, whose uploads are visible after a minute; may be repeated",
    )
    parser.add_argument(
        "--state",
        type=Path,
        help="a file that keeps tokens, subscriptions and added readings until the next start",
    )
    parser.add_argument(
        "--subscriptions-path",
        type=_path,
        help="the path to register webhooks at, such as /v3/users/self/subscriptions",
    )
    return parser.parse_args(line)


def _installed_version() -> str:
    try:
        return version("dexcom-sim")
    except PackageNotFoundError:
        return "not installed; running from a checkout"


def _path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text) or text.startswith("/_sim"):
        raise argparse.ArgumentTypeError("must be a path like /v3/users/self/subscriptions")
    return text


def simulator_of(arguments: argparse.Namespace) -> SimulatedDexcom:
    """The simulator that these arguments describe."""
    application = RegisteredApplication(
        arguments.client_id, arguments.client_secret, tuple(arguments.redirect_uri)
    )
    return SimulatedDexcom(
        arguments.seed,
        application=application,
        upload_delay_s=arguments.upload_delay_seconds,
        people=arguments.people,
        subscriptions_path=arguments.subscriptions_path,
        reliable=arguments.reliable,
    )


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    arguments = parse_arguments()
    simulator = simulator_of(arguments)
    if arguments.state:
        restore(simulator, arguments.state)
    config = uvicorn.Config(
        create_app(simulator),
        arguments.host,
        arguments.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_S_MAX,
    )
    # After a graceful shutdown uvicorn raises the signal again. This makes the exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with suppress(KeyboardInterrupt):
            _Server(config).run()
    finally:
        if arguments.state:
            save(simulator, arguments.state)


if __name__ == "__main__":
    main()
