"""Delivery of a response: as the endpoint made it, or changed by a response fault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from dexcom_sim.faults.error_bodies import body_of, truncated
from dexcom_sim.faults.response_faults import (
    Dropped,
    ErrorResponse,
    MangledBody,
    ResponseFault,
    SlowBody,
    SlowHeaders,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Pause = Callable[[float], Awaitable[None]]


class ConnectionDropped(Exception):
    """Raised for a call from the same process, where there is no socket to close."""


@dataclass(frozen=True, slots=True)
class CompleteResponse:
    """A response that is complete and not yet sent."""

    start: Message
    body: bytes

    def with_body(self, body: bytes, content_type: bytes | None = None) -> CompleteResponse:
        """The same status with another body and its correct length."""
        replaced = {b"content-length": str(len(body)).encode()}
        if content_type is not None:
            replaced[b"content-type"] = content_type
        kept = [pair for pair in self.start["headers"] if pair[0] not in replaced]
        return CompleteResponse({**self.start, "headers": [*kept, *replaced.items()]}, body)


@dataclass(frozen=True, slots=True)
class ResponseDelivery:
    """One call and its connection."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    connection: Receive  # The server's own `receive`, which leads to the socket.
    pause: Pause
    now: datetime

    async def deliver(self, fault: ResponseFault | None) -> None:
        """Handle the call and send its response, changed by this fault if there is one."""
        match fault:
            case None:
                await self.app(self.scope, self.receive, self.send)
            case ErrorResponse():
                await error_response(fault, self.now)(self.scope, self.receive, self.send)
            case MangledBody():
                await self._send(mangled(await self._handle(), fault))
            case SlowHeaders(wait_s=wait_s):
                response = await self._handle()
                await self.pause(wait_s)
                await self._send(response)
            case SlowBody():
                await self._send_in_chunks(await self._handle(), fault)
            case Dropped():
                await self._drop(fault)

    async def _handle(self) -> CompleteResponse:
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, collect)
        return CompleteResponse(messages[0], b"".join(message.get("body", b"") for message in messages[1:]))

    async def _send(self, response: CompleteResponse) -> None:
        await self.send(response.start)
        await self.send({"type": "http.response.body", "body": response.body})

    async def _send_in_chunks(self, response: CompleteResponse, fault: SlowBody) -> None:
        await self.send(response.start)
        size = -(-len(response.body) // fault.chunks) or 1
        for start in range(0, len(response.body), size):
            await self.pause(fault.wait_s)
            chunk = response.body[start : start + size]
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})

    async def _drop(self, fault: Dropped) -> None:
        if fault.when != "before_handling":
            response = await self._handle()
            if fault.when == "mid_body":
                await self.send(response.start)
                body = response.body[: len(response.body) // 2]
                await self.send({"type": "http.response.body", "body": body, "more_body": True})
        await self._close_connection()

    async def _close_connection(self) -> None:
        # ASGI has no message that closes a connection without a response. Under uvicorn `receive` is a method
        # of the object that owns the socket. In the same process there is no socket to close.
        transport = getattr(getattr(self.connection, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionDropped("the simulated Dexcom closed the connection")
        transport.close()
        while (await self.connection())["type"] != "http.disconnect":
            pass


def error_response(fault: ErrorResponse, now: datetime) -> Response:
    """The response of a call that is not handled."""
    body, content_type = body_of(fault.body, fault.error, fault.message)
    headers = {}
    if fault.retry_after_s is not None:
        later = now + timedelta(seconds=fault.retry_after_s)
        as_date = format_datetime(later, usegmt=True)
        headers["retry-after"] = as_date if fault.retry_after_form == "date" else str(fault.retry_after_s)
    return Response(body, fault.status, headers, content_type)


def mangled(response: CompleteResponse, fault: MangledBody) -> CompleteResponse:
    """The same status with an unusable body."""
    if fault.shape == "truncated":
        return response.with_body(truncated(response.body))
    body, content_type = body_of(fault.shape, "", "Please try again later")
    return response.with_body(body, content_type.encode())
