"""A TCP proxy whose connections a test can cut, at once or at the server's next answer."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Self

from local.ports import HOST

_CHUNK_BYTES = 65_536


@dataclass
class CutLine:
    """Passes bytes between the clients of `port` and a server."""

    server_port: int
    connections: int = 0
    loses_next_answer: bool = False
    _open: list[socket.socket] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, and end all connections."""
        _end(self._listener)
        self.cut()

    def cut(self) -> None:
        """End all connections; new ones are possible."""
        with self._lock:
            gone, self._open = self._open, []
        for end in gone:
            _end(end)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((HOST, self.server_port))
                with self._lock:
                    self.connections += 1
                    self._open += [near, far]
                Thread(target=self._pass, args=(near, far, False), daemon=True).start()
                Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:  # noqa: FBT001 - a thread's argument.
        with suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if answers and self.loses_next_answer:
                    self.loses_next_answer = False
                    break
                target.sendall(chunk)
        _end(source)
        _end(target)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
