"""How the simulated Dexcom says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from dexcom_sim.quota import QuotaExceeded


class Refused(Exception):
    """Ends a request with that status and that JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    def answer(self) -> JSONResponse:
        """The refusal as a response."""
        headers = {"www-authenticate": "Bearer"} if self.status == 401 else None
        return JSONResponse(self.body, self.status, headers)


def token_dead() -> Refused:
    """The access token is unknown, expired or revoked; Dexcom does not say which."""
    detail = {"errorcode": "oauth.v2.InvalidAccessToken"}
    return Refused(401, {"fault": {"faultstring": "Invalid access token", "detail": detail}})


def quota_exceeded(exceeded: QuotaExceeded) -> JSONResponse:
    """The application has made all its calls for this hour."""
    detail = {"errorcode": "policies.ratelimit.QuotaViolation"}
    headers = {"retry-after": str(exceeded.wait_s)} if exceeded.retry_after else None
    return JSONResponse(
        {"fault": {"faultstring": "Rate limit quota violation", "detail": detail}}, 429, headers
    )


def bad_parameter(name: str, why: str) -> Refused:
    """A query parameter that Dexcom will not read."""
    return Refused(400, {"errors": [{"field": name, "message": why}]})


def oauth_error(status: int, error: str, description: str | None = None) -> Refused:
    """An error of the token endpoint, as RFC 6749 spells it."""
    more = {} if description is None else {"error_description": description}
    return Refused(status, {"error": error, **more})
