"""Faults of a whole response: another status, an unusable body, a delay, or a closed connection."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dexcom_sim.faults.error_bodies import BodyShape  # noqa: TC001 - pydantic reads it at run time.
from dexcom_sim.faults.targeting import IncomingCall, TargetedFault

_WAIT_S_MAX = 600.0


class ResponseFault(TargetedFault):
    """Replaces or delays the whole response of a call."""


class ErrorResponse(ResponseFault):
    """Answers a call without handling it, so that it has no effect at Dexcom."""

    status: int = Field(ge=200, le=599)
    body: BodyShape = "errors"
    error: str = "server_error"
    message: str = "a fault of the simulated Dexcom refused this call"
    retry_after_s: int | None = Field(None, ge=0)
    retry_after_form: Literal["seconds", "date"] = "seconds"


class StatusFault(ErrorResponse):
    """Answers with any status and any body."""

    kind: Literal["status"] = "status"


class Maintenance(ErrorResponse):
    """Refuses token refreshes for an hour; everything else works. This was observed at Dexcom at night."""

    kind: Literal["maintenance"] = "maintenance"
    status: int = Field(503, ge=400, le=599)
    body: BodyShape = "html"
    message: str = "Service Unavailable"
    lasts_s: float | None = Field(3600.0, gt=0.0)

    def matches(self, call: IncomingCall) -> bool:
        """Only token refreshes."""
        return super().matches(call) and call.grant_type == "refresh_token"


class FullApplication(ErrorResponse):
    """Refuses new users; users who are connected already stay connected."""

    kind: Literal["application_full"] = "application_full"
    status: int = Field(400, ge=400, le=599)
    body: BodyShape = "error_and_description"
    error: str = "invalid_client"
    message: str = "max user count exceeded"

    def matches(self, call: IncomingCall) -> bool:
        """Only codes of users who are not connected yet."""
        return super().matches(call) and call.is_new_user


class MangledBody(ResponseFault):
    """Handles the call and sends its true status with an unusable body."""

    kind: Literal["mangled_body"] = "mangled_body"
    shape: Literal["html", "truncated", "empty"] = "html"


class SlowHeaders(ResponseFault):
    """Handles the call at once and sends the response late, so a client that times out misses it."""

    kind: Literal["slow_headers"] = "slow_headers"
    wait_s: float = Field(gt=0.0, le=_WAIT_S_MAX)


class SlowBody(ResponseFault):
    """Sends the headers at once and the body in chunks, with a pause before each."""

    kind: Literal["slow_body"] = "slow_body"
    wait_s: float = Field(gt=0.0, le=_WAIT_S_MAX)  # Before each chunk.
    chunks: int = Field(4, ge=1, le=100)


class Dropped(ResponseFault):
    """Closes the connection before or after the call is handled, or in the middle of the body."""

    kind: Literal["dropped"] = "dropped"
    when: Literal["before_handling", "after_handling", "mid_body"] = "before_handling"
