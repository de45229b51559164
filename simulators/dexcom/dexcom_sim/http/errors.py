"""Error responses of the simulated Dexcom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from dexcom_sim.quota import QuotaExceeded


class HttpError(Exception):
    """Ends a request with this status and this JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    def response(self) -> JSONResponse:
        """The error as a response."""
        headers = {"www-authenticate": "Bearer"} if self.status == 401 else None
        return JSONResponse(self.body, self.status, headers)


def invalid_access_token() -> HttpError:
    """The access token is unknown, expired or revoked. Dexcom does not say which."""
    detail = {"errorcode": "oauth.v2.InvalidAccessToken"}
    return HttpError(401, {"fault": {"faultstring": "Invalid access token", "detail": detail}})


def quota_exceeded(exceeded: QuotaExceeded) -> JSONResponse:
    """The application has used up the calls of this hour."""
    detail = {"errorcode": "policies.ratelimit.QuotaViolation"}
    headers = {"retry-after": str(exceeded.wait_s)} if exceeded.retry_after else None
    return JSONResponse(
        {"fault": {"faultstring": "Rate limit quota violation", "detail": detail}}, 429, headers
    )


def invalid_parameter(name: str, why: str) -> HttpError:
    """A parameter is missing or invalid."""
    return HttpError(400, {"errors": [{"field": name, "message": why}]})


def oauth_error(status: int, error: str, description: str | None = None) -> HttpError:
    """An error of the token endpoint, in the format of RFC 6749."""
    more = {} if description is None else {"error_description": description}
    return HttpError(status, {"error": error, **more})
