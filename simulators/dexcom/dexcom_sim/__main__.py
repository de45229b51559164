"""Serve the simulated Dexcom: python -m dexcom_sim --port 5002."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from dexcom_sim.app import create_app
from dexcom_sim.application import Application
from dexcom_sim.people import PEOPLE
from dexcom_sim.uploads import PHONE_DELAY_S
from dexcom_sim.world import World

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence


# A slow answer may have ten minutes to go; nobody who stops the simulator waits for it.
_PATIENCE_S = 2


class _Server(uvicorn.Server):
    """A server that says when it is ready, in one line."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"simulated Dexcom ready on http://{host}:{port}", flush=True)


def arguments_of(line: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    fallback = Application()
    parser = argparse.ArgumentParser(prog="python -m dexcom_sim", description="Serve a simulated Dexcom.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5002, help="0 takes any that is free")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other lives")
    parser.add_argument("--people", type=int, default=PEOPLE, help="how many sandbox users there are")
    parser.add_argument("--client-id", default=fallback.client_id)
    parser.add_argument("--client-secret", default=fallback.client_secret)
    parser.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        help="may be repeated; without any, every address is registered",
    )
    parser.add_argument(
        "--upload-delay-seconds", type=int, default=PHONE_DELAY_S, help="0: phones are served at once"
    )
    parser.add_argument(
        "--subscriptions-path",
        type=_path,
        help="where to register webhooks, such as /v3/users/self/subscriptions; without it there are none",
    )
    return parser.parse_args(line)


def _path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text) or text.startswith("/_sim"):
        raise argparse.ArgumentTypeError("must be a path like /v3/users/self/subscriptions")
    return text


def world_of(arguments: argparse.Namespace) -> World:
    """The world these arguments describe."""
    application = Application(arguments.client_id, arguments.client_secret, tuple(arguments.redirect_uri))
    return World(
        arguments.seed,
        application=application,
        upload_delay_s=arguments.upload_delay_seconds,
        people=arguments.people,
        subscriptions_path=arguments.subscriptions_path,
    )


def main() -> None:
    """Serve until told to stop."""
    arguments = arguments_of()
    app = create_app(world_of(arguments))
    config = uvicorn.Config(
        app,
        arguments.host,
        arguments.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    # Once it has shut down, uvicorn sends itself the signal it was stopped by.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        _Server(config).run()


if __name__ == "__main__":
    main()
