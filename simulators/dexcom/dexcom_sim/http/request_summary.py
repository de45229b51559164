"""The parts of a request that the middleware needs before an endpoint handles it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from dexcom_sim.simulator import SimulatedDexcom

_BODY_BYTES_MAX = 64 * 1024  # A token form has a few hundred.
_LOGGED_PARAMETERS = ("startDate", "endDate", "lastSyncTime")  # They contain no secret.


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """Method, path, parameters and credentials of a request."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    authorization: str

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> RequestSummary:
        """Read a request, valid or not."""
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
        """Whether a user's browser sent the request, not the application."""
        return self.path.endswith("/oauth2/login")

    def user(self, simulator: SimulatedDexcom) -> str | None:
        """The user the request is about: by its token or code, or by the name in a login."""
        secret = bearer_token(self.authorization) or self.form.get("refresh_token") or self.form.get("code")
        if secret:
            return simulator.consents.user_of_secret(secret)
        named = self.query.get("sim_user") or self.form.get("user")
        return named if named in simulator.people else None

    def logged_query(self) -> str:
        """The dates of the query, for the call log."""
        return urlencode(
            {name: self.query[name] for name in _LOGGED_PARAMETERS if name in self.query}, safe=":"
        )


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header; empty if it has none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def read_body(receive: Receive) -> bytes:
    """Read the body, but not much more than a token form can have."""
    body = b""
    more = True
    while more and len(body) <= _BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body that was read already, then continues with the original one."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
