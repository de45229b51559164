"""The ports of the local cloud, all on 127.0.0.1."""

import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that is not in use at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    """Whether a program cannot listen on this port: it is in use, or the system forbids it."""
    with socket.socket() as probe:
        # As servers do, so that a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
