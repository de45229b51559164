"""Runs RabbitMQ. It can be stopped and restarted, and ends with the program that started it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from local.errors import CannotStart
from local.ports import HOST, free_port
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# Debian's /usr/sbin/rabbitmq-server runs the machine's own broker only. It calls this program.
_DEBIAN_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_STARTED_S_MAX = 120.0
_END_S_MAX = 60
_READY = "Server startup complete"
# Erlang starts its name server if none runs, and leaves it running. So the script starts and ends one itself.
# Standard input is closed when the program that started this script has ended or was killed.
_SCRIPT = """
exec 3<&0
epmd -address "$ERL_EPMD_ADDRESS" -port "$ERL_EPMD_PORT" & names=$!
until epmd -names > /dev/null 2>&1; do sleep 0.1; done
"$1" & server=$!
(cat <&3 > /dev/null; kill -TERM $server) &
wait $server
kill -TERM $names; wait $names
"""


def missing() -> str | None:
    """The missing requirement, in one line; None if nothing is missing."""
    if shutil.which("epmd") is None or _program() is None:
        return "the tests need RabbitMQ, which is not installed (Debian: apt install rabbitmq-server)"
    return None


@dataclass
class Broker:
    """A broker with a folder of its own. Durable queues and messages survive a restart."""

    folder: Path
    settings: str = ""  # Further lines of rabbitmq.conf; {tls_port} is the port for TLS.
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    names_port: int = field(default_factory=free_port)  # Of Erlang's name server.
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, with the user guest, which may connect from this machine only."""
        return f"amqp://guest:guest@{HOST}:{self.port}/%2F"

    @property
    def tls_url(self) -> str:
        """The address over TLS, if the settings configure it."""
        return f"amqps://guest:guest@localhost:{self.tls_port}/%2F"

    def start(self) -> None:
        """Start the broker and wait until it is ready."""
        log = self.folder / "broker.log"
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "environment").touch()
        listens = f"listeners.tcp.1 = {HOST}:{self.port}\n{self.settings.format(tls_port=self.tls_port)}\n"
        (self.folder / "rabbitmq.conf").write_text(listens)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command.
                ["/bin/sh", "-c", _SCRIPT, "rabbitmq", str(_program())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environ(),
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C does not reach it.
            )
        if not self._becomes_ready(log):
            said = log.read_text(errors="replace")[-500:]
            self.stop()
            raise CannotStart(f"RabbitMQ did not start: {said.strip() or 'no reason was printed'}")

    def stop(self) -> None:
        """Stop the broker and Erlang's name server."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_END_S_MAX)  # Closes its standard input.
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _becomes_ready(self, log: Path) -> bool:
        def is_ready() -> bool:
            return _READY in log.read_text(errors="replace")

        def is_settled() -> bool:
            return is_ready() or self._process is None or self._process.poll() is not None

        return wait_until(is_settled, _STARTED_S_MAX) and is_ready()

    def _environ(self) -> dict[str, str]:
        """Nothing of the machine's own broker, and nothing listening on another address."""
        return {
            "PATH": os.environ["PATH"],  # noqa: TID251 - as the person's own.
            "HOME": str(self.folder),  # Erlang keeps its cookie there.
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self.names_port),
            "RABBITMQ_NODENAME": "bg-ingest@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment"),
        }


@contextmanager
def running(settings: str = "", folder: Path | None = None) -> Iterator[Broker]:
    """A broker for as long as the block runs."""
    with TemporaryDirectory(prefix="bg-ingest-rabbitmq-") as own:
        broker = Broker(folder or Path(own), settings)
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


def _program() -> str | None:
    return _DEBIAN_PROGRAM if Path(_DEBIAN_PROGRAM).exists() else shutil.which("rabbitmq-server")
