"""Where lines go: stdout, a file or a syslog collector. None of them stops or slows whoever writes to it."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bg_ingest.settings import SettingsInvalid
from bg_ingest.telemetry.lossy_handler import LossyHandler

if TYPE_CHECKING:
    from bg_ingest.clock import Clock

_SYSLOG_PORT = 514
_FORMS = "must be stdout, file:<path>, syslog+udp://<host>:<port> or syslog+tcp://<host>:<port>"


class Stdout(LossyHandler):
    """Whatever stdout is at the moment of writing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # Closed, or full.
            self.handleError(record)


class File(LossyHandler, logging.FileHandler):
    """Lines at the end of a file."""


def handler_for(output: str, function: str, clock: Clock) -> logging.Handler:
    """What LOG_OUTPUT means; raises SettingsInvalid if it means nothing."""
    if output == "stdout":
        return Stdout()
    if output.startswith("file:"):
        return _file(output.removeprefix("file:"))
    return _collector(output, function, clock)


def _file(path: str) -> File:
    try:
        return File(path, encoding="utf-8")
    except OSError as error:
        raise SettingsInvalid(f"LOG_OUTPUT: the file cannot be written: {type(error).__name__}") from None


def _collector(output: str, function: str, clock: Clock) -> logging.Handler:
    from bg_ingest.telemetry.syslog import Collector  # noqa: PLC0415 - few have one, and it needs sockets.

    try:
        address = urlsplit(output)
        host, port = address.hostname, address.port or _SYSLOG_PORT
    except ValueError:
        raise SettingsInvalid(f"LOG_OUTPUT: {_FORMS}") from None
    if not host or address.scheme not in {"syslog+udp", "syslog+tcp"}:
        raise SettingsInvalid(f"LOG_OUTPUT: {_FORMS}")
    return Collector(host, port, tcp=address.scheme == "syslog+tcp", function=function, clock=clock)
