"""The command behind `make up`, `make down`, `make invoke`, and tokens: `python -m local --help`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from dotenv import dotenv_values

from bg_ingest.clock import SystemClock
from local.callers import SCOPES
from local.cloud import OPERATOR, Cloud, Options
from local.demo import SIMULATED_PERSON, freshness
from local.errors import CannotStart
from local.function_logs import LineFilter, follow, function_lines, log_events
from local.invoke import invoke
from local.paths import CHECKOUT, DEFAULT_STATE
from local.ports import HOST
from local.processes import Processes
from local.running import check
from local.stack import Stack, load
from local.webhook_sender import send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CHECK_EVERY_S = 1.0
_NIGHTSCOUT_PORT_DISTANCE = 2  # From the API's port.
_READER = "reader-99f596537eeb5774"  # Of the simulated Nightscout; its README says the same.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. A CannotStart is printed, with exit code 1."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
    except CannotStart as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. No process is left running; the data is kept.")
        return 130


def _up(asked: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, _as_interrupt)
    if Processes(DEFAULT_STATE.processes_file).alive():
        running = check(DEFAULT_STATE, _options())
        print("The local cloud is running already; 'make down' stops it.")
        _explain(running, _options())
        return 0
    cloud = Cloud(DEFAULT_STATE, _options())
    try:
        _explain(cloud.start(), cloud.options)
        if asked.detach:
            print("\n'make down' stops it.")
            return 0
        print("\nCtrl-C stops it.", flush=True)
        return _watch(cloud)
    except BaseException:
        print("\nStopping ...", flush=True)
        cloud.end()  # A repeated end is harmless, so this does not depend on where the start was interrupted.
        raise


def _watch(cloud: Cloud) -> int:
    clock = SystemClock()
    started = {process.name for process in cloud.processes.all()}
    while not (gone := started - {process.name for process in cloud.processes.alive()}):
        clock.sleep(_CHECK_EVERY_S)
    if cloud.processes.all():
        raise CannotStart(f"{' and '.join(sorted(gone))} ended unexpectedly; see {cloud.state.logs}.")
    print("Stopped by 'make down'.")
    return 0


def _down(_: argparse.Namespace) -> int:
    if Processes(DEFAULT_STATE.processes_file).alive():
        print("Stopping ...", flush=True)  # Removing the temporary folder takes some seconds.
    ended = Cloud(DEFAULT_STATE, Options(port=0)).end()
    print(f"Stopped {ended} processes. The data is kept." if ended else "Nothing was running.")
    return 0


def _token(asked: argparse.Namespace) -> int:
    print(load(DEFAULT_STATE).callers.token(asked.user, tuple(asked.scope)))
    return 0


def _webhook(asked: argparse.Namespace) -> int:
    answer = send(load(DEFAULT_STATE), asked.user, asked.file, asked.id)
    print(answer.status_code, answer.text)
    return 0 if answer.is_success else 1


def _invoke(asked: argparse.Namespace) -> int:
    return invoke(asked.function, asked.event)


def _logs(asked: argparse.Namespace) -> int:
    emulator, wanted = load(DEFAULT_STATE).emulator, LineFilter(asked.function, asked.correlation_id)
    read = partial(log_events, emulator)
    lines = follow(read, wanted, SystemClock()) if asked.follow else function_lines(emulator, wanted)
    for line in lines:
        print(line, flush=asked.follow)
    return 0


def _options(folder: Path = CHECKOUT) -> Options:
    # Like the functions' own settings, an option may be a line of a file .env. `make` exports each option,
    # an unset one as an empty text.
    given = {name: value for name, value in os.environ.items() if value}  # noqa: TID251 - its own options.
    environ = dotenv_values(folder / ".env") | given
    chosen: dict[str, Any] = {
        option: environ[name]
        for name, option in {
            "DEXCOM_API_BASE_URL": "provider_url",
            "POLL_INTERVAL_SECONDS": "poll_interval_seconds",
            "LOG_LEVEL": "log_level",
            "DEXCOM_CLIENT_ID": "client_id",
            "DEXCOM_CLIENT_SECRET": "client_secret",
            "FRONT_HOST": "front_host",
        }.items()
        if environ.get(name)
    }
    chosen["parameters"] = {
        parameter: environ[name]
        for name, parameter in {
            "RABBITMQ_URL": "RabbitMqUrl",
            "CORS_ORIGINS": "CorsOrigins",
            "RETURN_URLS": "ReturnUrls",
        }.items()
        if environ.get(name)
    }
    port = environ.get("PORT") or "5001"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CannotStart(f"PORT is '{port}'; it must be a number from 1 to 65535.")
    if "provider_url" not in chosen:
        chosen["simulator_arguments"] = ("--reliable", SIMULATED_PERSON)
    if environ.get("NIGHTSCOUT") == "1":
        chosen["nightscout_port"] = int(port) + _NIGHTSCOUT_PORT_DISTANCE
    return Options(port=int(port), enforce_iam=environ.get("IAM") == "1", stays=True, **chosen)


def _explain(stack: Stack, options: Options) -> None:
    mine = f"{stack.api}/api/bg/{stack.demo_user_id}"
    print(f"\nREADY. The page, signed in as the demo user: {stack.demo_page}")
    print(f"The page is at {stack.page}, the API at {stack.api}, Dexcom at {stack.dexcom}.")
    print(f"An operator signs in at {stack.api}/signin?login_hint={OPERATOR} and opens {stack.api}/status.")
    if options.nightscout_port:
        print(
            f"A simulated Nightscout is at http://{HOST}:{options.nightscout_port}, with the token {_READER}."
        )
    print(freshness(stack.api, stack.demo_token, simulated=stack.simulated) + " Try:")
    if not stack.simulated:
        print(f"""
  curl -sH @.local/demo.header -X POST {mine}/connection

and open the authorize_url of its response, where the demo user logs in. Confirm with the code that is shown:

  curl -sH @.local/demo.header {mine}/connection/confirm -d '{{"confirm": "<code>"}}'

Then:""")
    print(f"""
  curl -sH @.local/demo.header {mine}/latest
  curl -sH @.local/demo.header {mine}/statistics
  curl -sH @.local/demo.header {mine}/sync
  .venv/bin/python -m local webhook {stack.demo_user_id}

Addresses and tokens for programs are in .local/stack.json, logs in .local/logs.""")


def _as_interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    up = commands.add_parser("up", help="start everything (make up)")
    up.add_argument("--detach", action="store_true", help="return when ready")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="stop everything (make down)").set_defaults(run=_down)
    token = commands.add_parser("token", help="print a token for a user; the user is created if needed")
    token.add_argument("user")
    token.add_argument("--scope", action="append", default=[], choices=SCOPES, help="may be repeated")
    token.set_defaults(run=_token)
    webhook = commands.add_parser(
        "webhook", help="send a signed webhook for a user, with one current reading"
    )
    webhook.add_argument("user")
    webhook.add_argument(
        "--file", help="the body: a JSON file, or a file such as events/webhook_records.json"
    )
    webhook.add_argument("--id", help="the webhook-id; by default a new one")
    webhook.set_defaults(run=_webhook)
    logs = commands.add_parser("logs", help="print the log of the functions")
    logs.add_argument("--follow", action="store_true", help="print new lines as they come")
    logs.add_argument("--function", help="only lines of this function, such as query or QueryFunction")
    logs.add_argument("--correlation-id", help="only lines with this correlation id")
    logs.set_defaults(run=_logs)
    call = commands.add_parser("invoke", help="run one function with one event (make invoke)")
    call.add_argument("function", help="its name in template.yaml, such as QueryFunction")
    call.add_argument("event", help="a file, such as events/query_latest.json")
    call.set_defaults(run=_invoke)
    return parser


if __name__ == "__main__":
    sys.exit(main())
