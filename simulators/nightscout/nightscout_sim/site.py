"""One simulated Nightscout site: its requests and their responses, without a socket."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import formatdate
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from nightscout_sim.clock import SystemTime, iso, to_ms
from nightscout_sim.control import control
from nightscout_sim.entries import Entries, Entry
from nightscout_sim.query import QueryInvalid, selected
from nightscout_sim.tokens import Tokens

if TYPE_CHECKING:
    from nightscout_sim.clock import TimeSource
    from nightscout_sim.faults import Fault

VERSION = "15.0.7"
OLD_VERSION = "13.0.1"
LIMIT_V3 = 1_000  # API3_MAX_LIMIT.
_CALLS_KEPT = 1_000
_ENTRIES_V1 = re.compile(r"/api/v1/entries(/(?P<kind>sgv|mbg|cal))?(\.json)?")
_UNAUTHORIZED = {"status": 401, "message": "Unauthorized", "description": "Invalid/Missing"}


@dataclass
class Request:
    """One HTTP request."""

    method: str
    path: str  # Without the query.
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # Names in lower case.
    body: bytes = b""

    @classmethod
    def of(cls, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Request:
        """A request from its target, such as `/api/v1/entries.json?count=3`."""
        path, _, query = target.partition("?")
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), lower, body)


@dataclass
class Answer:
    """One HTTP response; `wait_s` passes before it is sent, and a dropped one is never sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    dropped: bool = False


@dataclass
class NightscoutSite:
    """The site of one person; thread-safe."""

    seed: int = 1
    clock: TimeSource = field(default_factory=SystemTime)
    history_days: float = 90
    has_v3: bool = True  # False: an old version.
    count_max: int = 1_000_000  # The most entries of one answer of API v1.
    api_secret: str = "not-a-secret-of-anybody"  # noqa: S105 - the token in the README follows from it.
    clock_ahead: timedelta = timedelta(0)  # How far the site's own clock is wrong.
    sensor: bool = True

    def __post_init__(self) -> None:
        self.entries = Entries(self.seed, history_days=self.history_days, sensor=self.sensor)
        self.tokens = Tokens(self.api_secret)
        self.faults: list[Fault] = []
        self.calls: deque[dict[str, Any]] = deque(maxlen=_CALLS_KEPT)
        self.lock = RLock()

    def now_ms(self) -> int:
        """The time of the site's own clock."""
        return to_ms(self.clock.now() + self.clock_ahead)

    def answer(self, request: Request) -> Answer:
        """Answer one request, as far as no fault prevents it."""
        with self.lock:
            self.entries.grow(to_ms(self.clock.now()))
            if request.path.startswith("/_sim"):
                return _json(*control(self, request.method, request.path, request.body))
            fault = next((fault for fault in self.faults if fault.matches(request.path)), None)
            answer = self._answer(request) if fault is None else self._with(fault, request)
            answer.headers["Date"] = formatdate(self.now_ms() // 1000, usegmt=True)
            path = re.sub(r"(request)/.*", r"\1/…", request.path)
            self.calls.append({"method": request.method, "path": path, "status": answer.status})
            return answer

    def _with(self, fault: Fault, request: Request) -> Answer:
        fault.acted()
        match fault.kind:
            case "status":
                after = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
                return Answer(
                    fault.status, b"<html>unavailable</html>", after | {"Content-Type": "text/html"}
                )
            case "html":
                return Answer(200, b"<html>starting up</html>", {"Content-Type": "text/html"})
            case "redirect":
                return Answer(302, b"", {"Location": fault.location})
            case "dropped":
                return Answer(500, dropped=True)
        answer = self._answer(request)
        if fault.kind == "truncated":
            answer.body = answer.body[: len(answer.body) // 2]
        else:
            answer.wait_s = fault.wait_s
        return answer

    def _answer(self, request: Request) -> Answer:
        now_s = self.now_ms() // 1000
        token = self.tokens.of_request(request.headers, request.query, now_s)
        exchange = re.fullmatch(r"/api/v2/authorization/request/([^/]+)", request.path)
        if exchange:
            authorized = self.tokens.exchange(exchange[1], now_s)
            return _json(200, authorized) if authorized else _json(401, _UNAUTHORIZED)
        if request.path == "/api/v1/verifyauth":
            return _json(200, {"status": 200, "message": self._rights(token)})
        if request.path in {"/api/v1/status.json", "/api/v1/status"}:
            return _json(200, self._status())
        if request.path.startswith("/api/v3/"):
            return self._answer_v3(request, token) if self.has_v3 else _json(404, {"status": 404})
        return self._entries_v1(request, token)

    def _entries_v1(self, request: Request, token: str | None) -> Answer:
        found = _ENTRIES_V1.fullmatch(request.path)
        if found is None:
            return _json(404, {"status": 404})
        if request.method != "GET" or not self.tokens.allows(token, "api:entries:read"):
            return _json(401, _UNAUTHORIZED)
        kind = found["kind"]
        valid = [entry for entry in self.entries.valid() if kind in {None, entry["type"]}]
        try:
            return _json(200, selected(valid, request.query, self.now_ms(), self.count_max))
        except QueryInvalid:
            return _json(500, {"status": 500, "message": "Mongo Error"})

    def _answer_v3(self, request: Request, token: str | None) -> Answer:
        if request.path == "/api/v3/version":
            versions = {"version": VERSION, "apiVersion": "3.0.4", "srvDate": self.now_ms()}
            return _json(200, {"status": 200, "result": versions})
        if token is None:
            return _json(401, {"status": 401, "message": "Missing or bad access token or JWT"})
        if not self.tokens.allows(token, "api:entries:read"):
            return _json(403, {"status": 403, "message": "Missing permission api:entries:read"})
        history = re.fullmatch(r"/api/v3/entries/history/(\d{1,15})", request.path)
        if history is None or request.method != "GET":
            return _json(404, {"status": 404})
        limit = request.query.get("limit", str(LIMIT_V3))
        if not limit.isdigit() or not 0 < int(limit) <= LIMIT_V3:
            return _json(400, {"status": 400, "message": "Bad or missing limit parameter"})
        changed = self.entries.changed_since(int(history[1]))[: int(limit)]
        return _history(changed)

    def _rights(self, token: str | None) -> dict[str, Any]:
        may = {action: self.tokens.allows(token, f"*:*:{action}") for action in ("read", "write", "admin")}
        return {
            "canRead": may["read"],
            "canWrite": may["write"],
            "isAdmin": may["admin"],
            "message": "OK" if may["read"] else "UNAUTHORIZED",
            "rolefound": "FOUND" if token else "NOTFOUND",
            "permissions": "ROLE" if token else "DEFAULT",
        }

    def _status(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "name": "nightscout",
            "version": VERSION if self.has_v3 else OLD_VERSION,
            "serverTime": iso(self.now_ms()),
            "serverTimeEpoch": self.now_ms(),
            "apiEnabled": True,
            "careportalEnabled": False,
            "settings": {"units": "mg/dl"},
            "runtimeState": "loaded",
            "authorized": None,
        }


def _history(changed: list[Entry]) -> Answer:
    # API v3 names an entry by its identifier alone.
    shown = [{name: value for name, value in entry.items() if name != "_id"} for entry in changed]
    answer = _json(200, {"status": 200, "result": shown})
    if changed:
        modified_ms = changed[-1]["srvModified"]
        answer.headers |= {
            "ETag": f'W/"{modified_ms}"',
            "Last-Modified": formatdate(modified_ms / 1000, usegmt=True),
        }
    return answer


def _json(status: int, document: Any) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json; charset=utf-8"})
