"""A proxy between the deployed functions and DynamoDB that refuses a share of the calls.

A refusal has DynamoDB's own form, so the client, the stores and the queue react as on AWS. The functions
get the proxy's address in DYNAMODB_ENDPOINT, which otherwise names DynamoDB Local.
"""

from __future__ import annotations

import json
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from uuid import uuid4

from local.deploy import function_names
from local.ports import HOST
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.emulator import Emulator

# The error of a table with provisioned capacity, and the error of an on-demand table.
REFUSALS = (
    "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "com.amazon.coral.availability#ThrottlingException",
)
_ANSWER_WITHIN_S = 60.0
_CHANGED_S_MAX = 60.0
# Headers of one connection, not of the message.
_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class ThrottlingProxy:
    """A proxy that refuses a share of the calls, given by `rate`, and all calls about the items of `keys`."""

    def __init__(self, target: str, seed: int = 1) -> None:
        self.rate, self.asked, self.refused = 0.0, 0, 0
        self.keys: tuple[str, ...] = ()
        self._chance, self._lock = Random(seed), Lock()  # noqa: S311 - the sequence must be reproducible.
        handler = type("Handler", (_Handler,), {"proxy": self, "target": urlsplit(target).netloc})
        self._server = ThreadingHTTPServer((HOST, 0), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        """The proxy's address."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def refusal(self, body: bytes = b"") -> str | None:
        """Return the error for the next call, or None to admit it."""
        with self._lock:
            self.asked += 1
            is_about_keys = any(f'"{key}"'.encode() in body for key in self.keys)
            if not is_about_keys and self._chance.random() >= self.rate:
                return None
            self.refused += 1
            return REFUSALS[self.refused % len(REFUSALS)]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"  # Clients keep their connections open.
    proxy: ThrottlingProxy
    target: str

    def handle(self) -> None:
        """Serve until the client disconnects, which a killed client does at any time."""
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        """Forward a call or refuse it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refusal = self.proxy.refusal(body)
        if refusal:
            said = json.dumps({"__type": refusal, "message": "Too many requests; try again later."})
            own = [("x-amzn-requestid", str(uuid4())), ("content-type", "application/x-amz-json-1.0")]
            self._answer(400, own, said.encode())
            return
        upstream = HTTPConnection(self.target, timeout=_ANSWER_WITHIN_S)
        try:
            # The headers are unchanged, including Host, because the signature covers them. Without `close`
            # hundreds of connections stay open on the other side.
            upstream.request("POST", self.path, body, {**self.headers, "Connection": "close"})
            answer = upstream.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
        except (HTTPException, OSError):
            self.close_connection = True  # The answer is unchanged.
        finally:
            upstream.close()

    def log_message(self, *_: object) -> None:
        """Log nothing; calls are counted instead."""

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def route_through(emulator: Emulator, endpoint: str) -> None:
    """Set this address of DynamoDB in every deployed function, which restarts their processes."""
    functions = emulator.client("lambda")
    for name in function_names(emulator).values():
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**variables, "DYNAMODB_ENDPOINT": endpoint}}
        )

    def are_ready() -> bool:
        return all(status == "Successful" for status in _statuses(emulator))

    assert wait_until(are_ready, _CHANGED_S_MAX)


def _statuses(emulator: Emulator) -> Iterator[str]:
    functions = emulator.client("lambda")
    for name in function_names(emulator).values():
        yield functions.get_function_configuration(FunctionName=name)["LastUpdateStatus"]
