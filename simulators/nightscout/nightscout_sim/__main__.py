"""The command `nightscout-sim`: serve a simulated Nightscout over HTTP."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from nightscout_sim.server import SiteServer
from nightscout_sim.site import NightscoutSite

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_arguments(line: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="nightscout-sim",
        description="Serve a simulated Nightscout over HTTP: one person's glucose entries.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_installed_version())
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=5003, help="the port to listen on; 0 selects a free one")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another person")
    parser.add_argument("--history-days", type=float, default=90, help="how many days of entries exist")
    parser.add_argument("--count-max", type=int, default=1_000_000, help="the most entries of one answer")
    parser.add_argument("--without-v3", action="store_true", help="an old version without API v3")
    parser.add_argument("--silent-sensor", action="store_true", help="only entries that are added by hand")
    return parser.parse_args(line)


def _installed_version() -> str:
    try:
        return version("nightscout-sim")
    except PackageNotFoundError:
        return "not installed; running from a checkout"


def site_of(arguments: argparse.Namespace) -> NightscoutSite:
    """The site that these arguments describe."""
    return NightscoutSite(
        arguments.seed,
        history_days=arguments.history_days,
        has_v3=not arguments.without_v3,
        count_max=arguments.count_max,
        sensor=not arguments.silent_sensor,
    )


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    arguments = parse_arguments()
    site = site_of(arguments)
    token = site.tokens.add("reader", "readable")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with SiteServer((arguments.host, arguments.port), site) as server:
        print(f"token with the role readable: {token}")
        print(f"simulated Nightscout ready on http://{arguments.host}:{server.server_port}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
