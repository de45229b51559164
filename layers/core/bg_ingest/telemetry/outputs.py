"""Log outputs: stdout, a file or a syslog collector. None of them stops or delays the code that logs."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bg_ingest.settings import SettingsInvalid

if TYPE_CHECKING:
    from bg_ingest.clock import Clock

_SYSLOG_PORT = 514
_FORMS = "must be stdout, file:<path>, syslog+udp://<host>:<port> or syslog+tcp://<host>:<port>"


class LossyHandler(logging.Handler):
    """A handler that drops a line it cannot write, and reports the first loss on stderr."""

    _silent = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own names.
        """Report the cause once; the library would print every lost line."""
        if not self._silent:
            self._silent = True
            kind = sys.exc_info()[0]
            sys.stderr.write(f"bg_ingest: log lines are lost: {kind.__name__ if kind else 'unknown'}\n")


class Stdout(LossyHandler):
    """Writes to the current sys.stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # Closed, or full.
            self.handleError(record)


class LogFile(LossyHandler, logging.FileHandler):
    """Appends to a file."""


def handler_for(output: str, function: str, clock: Clock) -> logging.Handler:
    """The handler for a LOG_OUTPUT; raises SettingsInvalid if it is malformed."""
    if output == "stdout":
        return Stdout()
    if output.startswith("file:"):
        return _file(output.removeprefix("file:"))
    return _collector(output, function, clock)


def _file(path: str) -> LogFile:
    try:
        return LogFile(path, encoding="utf-8")
    except OSError as error:
        raise SettingsInvalid(f"LOG_OUTPUT: the file cannot be written: {type(error).__name__}") from None


def _collector(output: str, function: str, clock: Clock) -> logging.Handler:
    from bg_ingest.telemetry.syslog import SyslogHandler  # noqa: PLC0415 - rarely used, and it needs sockets.

    try:
        address = urlsplit(output)
        host, port = address.hostname, address.port or _SYSLOG_PORT
    except ValueError:
        raise SettingsInvalid(f"LOG_OUTPUT: {_FORMS}") from None
    if not host or address.scheme not in {"syslog+udp", "syslog+tcp"}:
        raise SettingsInvalid(f"LOG_OUTPUT: {_FORMS}")
    return SyslogHandler(host, port, tcp=address.scheme == "syslog+tcp", function=function, clock=clock)
