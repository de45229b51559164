"""The site over HTTP, with a thread for each connection."""

from __future__ import annotations

from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from nightscout_sim.site import NightscoutSite, Request

if TYPE_CHECKING:
    from typing import Any


class SiteServer(ThreadingHTTPServer):
    """Serves one site."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], site: NightscoutSite) -> None:
        super().__init__(address, _Handler)
        self.site = site


class _Handler(BaseHTTPRequestHandler):
    server: SiteServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Serve until the client disconnects, which a killed client does at any time."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Log nothing: paths contain tokens."""

    def _handle(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        request = Request.of(self.command, self.path, dict(self.headers), self.rfile.read(size))
        answer = self.server.site.answer(request)
        if answer.wait_s:
            self.server.site.clock.sleep(answer.wait_s)
        if answer.dropped:
            self.close_connection = True
            return
        empty = answer.status == 204  # It has no body, or the next response would begin with it.
        self.send_response_only(answer.status)  # The answer has the Date of the site's own clock.
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not empty:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if not empty and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = do_PUT = _handle
