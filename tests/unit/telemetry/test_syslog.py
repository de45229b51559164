from __future__ import annotations

import json
import logging
import re
import socket
import time
from typing import TYPE_CHECKING

import pytest

from bg_ingest import telemetry
from bg_ingest.telemetry.json_lines import JsonLines
from bg_ingest.telemetry.outputs import handler_for
from bg_ingest.telemetry.syslog import CONNECT_S, MUTED_S, SEND_S
from local.ports import free_port
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = re.compile(r"<(\d+)>1 (\S+T\S+) - (\S+) (\d+) - - (\{.*\})")


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    """A collector that listens for datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        yield listener


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    """A collector that listens for connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


def _configure(scheme: str, port: int, clock: FakeClock | None = None) -> logging.Handler:
    handler = handler_for(f"{scheme}://127.0.0.1:{port}", "bg-worker", clock or FakeClock())
    handler.setFormatter(JsonLines("bg-worker"))
    return handler


def _record(message: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "bg_ingest", "msg": message, "levelno": level, "levelname": logging.getLevelName(level)}
    )


def test_over_udp_each_line_is_one_datagram(udp: socket.socket) -> None:
    """The datagram has the format of RFC 5424, with the JSON line as its message."""
    telemetry.configure(output=f"syslog+udp://127.0.0.1:{udp.getsockname()[1]}")
    telemetry.log("first", users=1)
    telemetry.log("second", level=logging.ERROR)

    one, two = (HEAD.fullmatch(udp.recv(65_536).decode()) for _ in range(2))
    assert one
    assert two
    assert (one[1], json.loads(one[5])["message"], json.loads(one[5])["users"]) == ("134", "first", 1)
    assert (two[1], json.loads(two[5])["level"]) == ("131", "ERROR")
    assert one[3] == "bg-ingest"


def test_over_tcp_each_message_ends_with_a_newline(tcp: socket.socket) -> None:
    """Messages are separated by newlines, and the JSON contains none."""
    telemetry.configure(output=f"syslog+tcp://127.0.0.1:{tcp.getsockname()[1]}")
    telemetry.log("first\nof two")
    telemetry.log("second")

    connection, _ = tcp.accept()
    with connection, connection.makefile("r", encoding="utf-8", newline="\n") as lines:
        found = [HEAD.fullmatch(lines.readline().removesuffix("\n")) for _ in range(2)]
    assert [json.loads(each[5])["message"] for each in found if each] == ["first\nof two", "second"]


@pytest.mark.parametrize("scheme", ["syslog+udp", "syslog+tcp"])
def test_an_unreachable_collector_is_reported_once(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand lines to an unreachable collector take no noticeable time."""
    handler = _configure(scheme, free_port())
    started_s = time.perf_counter()
    for _ in range(1_000):
        handler.handle(_record("a line"))

    assert time.perf_counter() - started_s < 5
    assert capsys.readouterr().err == "bg_ingest: log lines are lost: ConnectionRefusedError\n"
    handler.close()


def test_a_collector_that_does_not_read_delays_once(
    tcp: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the collector accepts the connection but reads nothing, then lines are lost after one timeout."""
    handler = _configure("syslog+tcp", tcp.getsockname()[1])
    started_s = time.perf_counter()
    line = _record("x" * 1_000_000)
    for _ in range(20):  # More than both sides' buffers together.
        handler.handle(line)

    assert time.perf_counter() - started_s < 10
    assert capsys.readouterr().err == "bg_ingest: log lines are lost: TimeoutError\n"
    handler.close()


def test_a_collector_is_retried_after_half_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines before that are lost, and the next outage is reported again."""
    clock, port = FakeClock(), free_port()
    handler = _configure("syslog+tcp", port, clock)
    handler.handle(_record("lost"))
    with socket.create_server(("127.0.0.1", port)) as back:
        handler.handle(_record("lost too"))
        clock.advance(MUTED_S)
        handler.handle(_record("arrives"))
        back.settimeout(5)
        with back.accept()[0] as connection:
            arrived = connection.recv(65_536).decode()
    clock.advance(MUTED_S)
    handler.handle(_record("the collector has gone"))
    handler.close()

    assert arrived.count("\n") == 1
    assert '"message":"arrives"' in arrived
    assert capsys.readouterr().err.count("lines are lost") == 2


def test_a_restarted_collector_loses_no_line(tcp: socket.socket) -> None:
    """If the collector closed an idle connection, then the next line opens another one."""
    handler = _configure("syslog+tcp", tcp.getsockname()[1])
    for message in ("before", "after"):
        handler.handle(_record(message))
        with tcp.accept()[0] as connection:
            assert f'"message":"{message}"' in connection.recv(65_536).decode()
    handler.close()


def test_an_unreachable_collector_costs_little_time() -> None:
    """One attempt ends long before a function's timeout, and attempts are rare."""
    assert CONNECT_S + SEND_S <= 1.0
    assert MUTED_S >= 30 * (CONNECT_S + SEND_S)
