"""ASGI middleware around all endpoints except the control API: quota, faults and the call log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dexcom_sim.calls import LoggedCall
from dexcom_sim.faults.targeting import IncomingCall
from dexcom_sim.http.delivery import ResponseDelivery
from dexcom_sim.http.errors import quota_exceeded
from dexcom_sim.http.request_summary import RequestSummary, read_body, replay
from dexcom_sim.timestamps import unix_s, written_utc

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dexcom_sim.simulator import SimulatedDexcom


class FaultMiddleware:
    """Checks the quota, applies at most one response fault, and logs each call."""

    def __init__(self, app: ASGIApp, simulator: SimulatedDexcom) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and log it."""
        if scope["type"] != "http" or scope["path"].startswith("/_sim"):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        summary = RequestSummary.of(scope, body)
        recorder = _ResponseRecorder(send)
        # The endpoints append the record faults to the same list, see dependencies.record_faults.
        state = scope.setdefault("state", {})
        state["faults"] = recorder.faults
        pause = state.get("pause", asyncio.sleep)
        now = self._simulator.clock.now()
        delivery = ResponseDelivery(
            self._app, scope, replay(body, receive), recorder.send, receive, pause, now
        )
        try:
            await self._answer(summary, delivery, recorder)
        finally:
            self._log(summary, recorder)

    async def _answer(
        self, summary: RequestSummary, delivery: ResponseDelivery, recorder: _ResponseRecorder
    ) -> None:
        user = summary.user(self._simulator)
        now_s = unix_s(delivery.now)
        # A browser on the login page does not use the application's quota.
        exceeded = None if summary.is_login else self._simulator.quota.count_call(now_s)
        if exceeded is not None:
            recorder.faults.append("quota")
            await quota_exceeded(exceeded)(delivery.scope, delivery.receive, delivery.send)
            return
        fault = self._simulator.faults.response_fault(self._incoming_call(summary, user), now_s)
        if fault is not None:
            recorder.faults.append(fault.kind)
        await delivery.deliver(fault)

    def _incoming_call(self, summary: RequestSummary, user: str | None) -> IncomingCall:
        grant_type = summary.form.get("grant_type", "")
        is_connected = bool(user and self._simulator.consents.is_connected(user))
        is_new_user = grant_type == "authorization_code" and not is_connected
        return IncomingCall(summary.path, user, grant_type, is_new_user)

    def _log(self, summary: RequestSummary, recorder: _ResponseRecorder) -> None:
        self._simulator.calls.add(
            LoggedCall(
                at=written_utc(self._simulator.now_s()),
                method=summary.method,
                path=summary.path,
                user=summary.user(self._simulator),
                status=recorder.status,
                faults=tuple(recorder.faults),
                query=summary.logged_query(),
            )
        )


class _ResponseRecorder:
    """Passes a response on and remembers its status and the faults that acted on it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.faults: list[str] = []

    async def send(self, message: Message) -> None:
        """Pass one message of the response on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
