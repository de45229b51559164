"""
Log lines for a syslog collector (RFC 5424).

Over UDP each line is one datagram, over TCP one line of the connection (RFC 6587, 3.4.2).

    up     |  fails: reported once, lines are lost  |  the next line tries again
    -------|------- MUTED_S without an attempt -----|-----------------------------> time

An attempt takes at most CONNECT_S and SEND_S, so a collector that is down costs one second every half minute.
Python's own SysLogHandler connects without a time limit, ends messages with NUL and speaks only RFC 3164.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bg_ingest.telemetry.outputs import LossyHandler

if TYPE_CHECKING:
    from bg_ingest.clock import Clock

CONNECT_S = 0.5
SEND_S = 0.5
MUTED_S = 30.0
_FACILITY = 16  # local0
_SEVERITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class SyslogHandler(LossyHandler):
    """Sends to a syslog collector; threads share one connection, since logging locks a handler."""

    def __init__(self, host: str, port: int, *, tcp: bool, function: str, clock: Clock) -> None:
        super().__init__()
        self._address = (host, port)
        self._tcp = tcp
        self._app = "".join(letter for letter in function if 33 <= ord(letter) <= 126)[:48] or "bg-ingest"
        self._clock = clock
        self._muted_until_s = 0.0
        self._socket: socket.socket | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line, unless an attempt failed within MUTED_S."""
        if self._clock.monotonic_s() < self._muted_until_s:
            return
        try:
            self._send(self._message(record))
            self._silent = False
        except OSError:
            self._disconnect()
            self._muted_until_s = self._clock.monotonic_s() + MUTED_S
            self.handleError(record)

    def close(self) -> None:
        """Close the connection."""
        self._disconnect()
        super().close()

    def _message(self, record: logging.LogRecord) -> bytes:
        priority = _FACILITY * 8 + _SEVERITIES.get(record.levelno, 6)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = f"<{priority}>1 {at} - {self._app} {os.getpid()} - -"
        return f"{head} {self.format(record)}".encode() + (b"\n" if self._tcp else b"")

    def _send(self, message: bytes) -> None:
        if self._socket and self._hung_up(self._socket):
            self._disconnect()  # The collector was restarted, or the connection was idle too long.
        if self._socket is None:
            self._socket = self._connected()
        self._socket.sendall(message)

    def _connected(self) -> socket.socket:
        if self._tcp:
            connection = socket.create_connection(self._address, timeout=CONNECT_S)
        else:
            family, kind, _, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            connection = socket.socket(family, kind)
            connection.connect(address)
        connection.settimeout(SEND_S)
        return connection

    def _hung_up(self, connection: socket.socket) -> bool:
        """Whether the collector has closed the connection; it sends nothing, so only the end can be read."""
        if not self._tcp:
            return False
        connection.setblocking(False)
        try:
            return connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        finally:
            connection.settimeout(SEND_S)

    def _disconnect(self) -> None:
        if self._socket:
            with suppress(OSError):
                self._socket.close()
        self._socket = None
