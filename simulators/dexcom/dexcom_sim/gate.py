"""What stands before the endpoints: it knows who calls, lets faults strike and counts every answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dexcom_sim.calls import Call
from dexcom_sim.faults.aim import Aimed
from dexcom_sim.instants import unix_s, written_utc
from dexcom_sim.refusals import quota_exceeded
from dexcom_sim.seen import Seen, read_body, replayed
from dexcom_sim.wire import Wire

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dexcom_sim.world import World


class Gate:
    """An ASGI middleware around everything but the control API."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, well or badly, and note it."""
        if scope["type"] != "http" or scope["path"].startswith("/_sim"):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        seen = Seen.of(scope, body)
        noted = _Noted(send)
        # Endpoints add the faults that strike records, see asked.changes.
        state = scope.setdefault("state", {})
        state["faults"] = noted.faults
        pause = state.get("pause", asyncio.sleep)
        wire = Wire(
            self._app, scope, replayed(body, receive), noted.send, receive, pause, self._world.clock.now()
        )
        try:
            await self._answer(seen, wire, noted)
        finally:
            self._note(seen, noted)

    async def _answer(self, seen: Seen, wire: Wire, noted: _Noted) -> None:
        user = seen.user(self._world)
        now_s = unix_s(wire.now)
        # People on the login page are not calls of the application.
        exceeded = None if seen.is_login else self._world.quota.call(now_s)
        if exceeded is not None:
            noted.faults.append("quota")
            await quota_exceeded(exceeded)(wire.scope, wire.receive, wire.send)
            return
        fault = self._world.faults.answer_fault(self._aimed(seen, user), now_s)
        if fault is not None:
            noted.faults.append(fault.kind)
        await wire.play(fault)

    def _aimed(self, seen: Seen, user: str | None) -> Aimed:
        grant_type = seen.form.get("grant_type", "")
        is_new = grant_type == "authorization_code" and not (user and self._world.consents.connected(user))
        return Aimed(seen.path, user, grant_type, is_new)

    def _note(self, seen: Seen, noted: _Noted) -> None:
        self._world.calls.note(
            Call(
                at=written_utc(self._world.now_s()),
                method=seen.method,
                path=seen.path,
                user=seen.user(self._world),
                status=noted.status,
                faults=tuple(noted.faults),
                query=seen.logged_query(),
            )
        )


class _Noted:
    """Passes an answer on and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.faults: list[str] = []

    async def send(self, message: Message) -> None:
        """One message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
