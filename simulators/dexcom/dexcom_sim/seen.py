"""What the gate can tell of a request before anyone answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from dexcom_sim.world import World

_BODY_BYTES_MAX = 64 * 1024  # A token form has a few hundred.
_LOGGED_PARAMETERS = ("startDate", "endDate", "lastSyncTime")  # They hold no secret.


@dataclass(frozen=True, slots=True)
class Seen:
    """The parts of a request that say who calls and for what."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    authorization: str

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> Seen:
        """The request as it came, whatever it is worth."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
            form=dict(parse_qsl(body.decode("latin-1"))),
            authorization=headers.get("authorization", ""),
        )

    @property
    def is_login(self) -> bool:
        """Whether a person's browser asks, not the application."""
        return self.path.endswith("/oauth2/login")

    def user(self, world: World) -> str | None:
        """Whose call it is, by the secret it carries or the name it gives."""
        secret = bearer_token(self.authorization) or self.form.get("refresh_token") or self.form.get("code")
        if secret:
            return world.consents.owner(secret)
        named = self.query.get("sim_user") or self.form.get("user")
        return named if named in world.people else None

    def logged_query(self) -> str:
        """Only the dates."""
        return urlencode(
            {name: self.query[name] for name in _LOGGED_PARAMETERS if name in self.query}, safe=":"
        )


def bearer_token(authorization: str) -> str:
    """The token in an Authorization header; empty when there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def read_body(receive: Receive) -> bytes:
    """The body, or as much of it as a token form could be."""
    body = b""
    more = True
    while more and len(body) <= _BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def replayed(body: bytes, receive: Receive) -> Receive:
    """The same request again, for whoever reads it next."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
