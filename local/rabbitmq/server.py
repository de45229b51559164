"""One running RabbitMQ; it can be stopped and started again, and ends with the program that started it."""

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

from local.ports import HOST, free_port
from local.trouble import CannotStart
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# Debian's /usr/sbin/rabbitmq-server serves the machine's own broker and nobody else's; this is behind it.
_BEHIND_DEBIANS = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_STARTED_S_MAX = 120.0
_END_S_MAX = 60
_READY = "Server startup complete"
# Erlang would start its name server by itself and leave it running, so it finds this one there already.
# Standard input ends when whoever started this is gone, however that ended.
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
    """What this machine lacks for it, in one line; None when it has everything."""
    if shutil.which("epmd") is None or _program() is None:
        return (
            "the tests of the sink need RabbitMQ, and there is none (on Debian: apt install rabbitmq-server)"
        )
    return None


@dataclass
class Broker:
    """A broker with a folder of its own; what is durable in it outlasts a stop."""

    folder: Path
    settings: str = ""  # More lines of rabbitmq.conf; {tls_port} is a port for TLS.
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    names_port: int = field(default_factory=free_port)  # Of Erlang's name server.
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers; its own guest may come from this machine only."""
        return f"amqp://guest:guest@{HOST}:{self.port}/%2F"

    @property
    def tls_url(self) -> str:
        """The same over TLS, if the settings say so."""
        return f"amqps://guest:guest@localhost:{self.tls_port}/%2F"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
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
                start_new_session=True,  # Ctrl-C is for us.
            )
        if not self._gets_ready(log):
            said = log.read_text(errors="replace")[-500:]
            self.stop()
            raise CannotStart(f"RabbitMQ did not start: {said.strip() or 'it does not say why'}")

    def stop(self) -> None:
        """End it, and Erlang's name server with it."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_END_S_MAX)  # Closes its standard input.
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _gets_ready(self, log: Path) -> bool:
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
    return _BEHIND_DEBIANS if Path(_BEHIND_DEBIANS).exists() else shutil.which("rabbitmq-server")
