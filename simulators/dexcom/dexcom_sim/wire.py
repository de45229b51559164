"""Carrying out the faults of whole answers: what the caller's connection gets to see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from dexcom_sim.faults.answers import AnswerFault, Dropped, MangledBody, Refusal, SlowBody, SlowHeaders
from dexcom_sim.faults.bodies import body_of, cut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    Pause = Callable[[float], Awaitable[None]]


class ConnectionDropped(Exception):
    """What a call in the same process gets instead of a closed socket."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is complete but not sent."""

    start: Message
    body: bytes

    def with_body(self, body: bytes, content_type: bytes | None = None) -> Answer:
        """The same status over another body, with a length that is true."""
        replaced = {b"content-length": str(len(body)).encode()}
        if content_type is not None:
            replaced[b"content-type"] = content_type
        kept = [pair for pair in self.start["headers"] if pair[0] not in replaced]
        return Answer({**self.start, "headers": [*kept, *replaced.items()]}, body)


@dataclass(frozen=True, slots=True)
class Wire:
    """One call and its connection."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    connection: Receive  # The server's own `receive`: it leads to the socket.
    pause: Pause
    now: datetime

    async def play(self, fault: AnswerFault | None) -> None:
        """Answer the call as the fault wants it, or as it should be."""
        match fault:
            case None:
                await self.app(self.scope, self.receive, self.send)
            case Refusal():
                await refusal(fault, self.now)(self.scope, self.receive, self.send)
            case MangledBody():
                await self._send(mangled(await self._handled(), fault))
            case SlowHeaders(wait_s=wait_s):
                answer = await self._handled()
                await self.pause(wait_s)
                await self._send(answer)
            case SlowBody():
                await self._drip(await self._handled(), fault)
            case Dropped():
                await self._drop(fault)

    async def _handled(self) -> Answer:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, keep)
        return Answer(messages[0], b"".join(message.get("body", b"") for message in messages[1:]))

    async def _send(self, answer: Answer) -> None:
        await self.send(answer.start)
        await self.send({"type": "http.response.body", "body": answer.body})

    async def _drip(self, answer: Answer, fault: SlowBody) -> None:
        await self.send(answer.start)
        size = -(-len(answer.body) // fault.chunks) or 1
        for start in range(0, len(answer.body), size):
            await self.pause(fault.wait_s)
            chunk = answer.body[start : start + size]
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})

    async def _drop(self, fault: Dropped) -> None:
        if fault.when != "before_handling":
            answer = await self._handled()
            if fault.when == "mid_body":
                await self.send(answer.start)
                body = answer.body[: len(answer.body) // 2]
                await self.send({"type": "http.response.body", "body": body, "more_body": True})
        await self._hang_up()

    async def _hang_up(self) -> None:
        # ASGI has no word for closing a connection unanswered. Under uvicorn `receive` is a method of the
        # object that owns the socket; anywhere else there is no socket to close.
        transport = getattr(getattr(self.connection, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionDropped("the simulated Dexcom closed the connection")
        transport.close()
        while (await self.connection())["type"] != "http.disconnect":
            pass


def refusal(fault: Refusal, now: datetime) -> Response:
    """The answer to a call that is not handled."""
    body, content_type = body_of(fault.body, fault.error, fault.message)
    headers = {}
    if fault.retry_after_s is not None:
        later = now + timedelta(seconds=fault.retry_after_s)
        as_date = format_datetime(later, usegmt=True)
        headers["retry-after"] = as_date if fault.retry_after_form == "date" else str(fault.retry_after_s)
    return Response(body, fault.status, headers, content_type)


def mangled(answer: Answer, fault: MangledBody) -> Answer:
    """The same status, with a body that is of no use."""
    if fault.shape == "truncated":
        return answer.with_body(cut(answer.body))
    body, content_type = body_of(fault.shape, "", "Please try again later")
    return answer.with_body(body, content_type.encode())
