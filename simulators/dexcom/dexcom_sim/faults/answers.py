"""Faults of a whole answer: another status, another body, late, or none at all."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dexcom_sim.faults.aim import Aim, Aimed
from dexcom_sim.faults.bodies import Shape  # noqa: TC001 - pydantic reads it.

_WAIT_S_MAX = 600.0


class AnswerFault(Aim):
    """Takes a whole call."""


class Refusal(AnswerFault):
    """A call that is answered without being handled: nothing happened, and the caller is told so somehow."""

    status: int = Field(ge=200, le=599)
    body: Shape = "errors"
    error: str = "server_error"
    message: str = "the simulated Dexcom was told to refuse this"
    retry_after_s: int | None = Field(None, ge=0)
    retry_after_form: Literal["seconds", "date"] = "seconds"


class Status(Refusal):
    """Any status with any body."""

    kind: Literal["status"] = "status"


class Maintenance(Refusal):
    """Refreshes fail for an hour, everything else works (observed at night)."""

    kind: Literal["maintenance"] = "maintenance"
    status: int = Field(503, ge=400, le=599)
    body: Shape = "html"
    message: str = "Service Unavailable"
    lasts_s: float | None = Field(3600.0, gt=0.0)

    def hits(self, call: Aimed) -> bool:
        """Only refreshes."""
        return super().hits(call) and call.grant_type == "refresh_token"


class ApplicationFull(Refusal):
    """Nobody new may connect; those who are connected stay."""

    kind: Literal["application_full"] = "application_full"
    status: int = Field(400, ge=400, le=599)
    body: Shape = "error_and_description"
    error: str = "invalid_client"
    message: str = "max user count exceeded"

    def hits(self, call: Aimed) -> bool:
        """Only codes of people who are not connected yet."""
        return super().hits(call) and call.is_new_person


class MangledBody(AnswerFault):
    """The call is handled and its status is true, but its body is of no use."""

    kind: Literal["mangled_body"] = "mangled_body"
    shape: Literal["html", "truncated", "empty"] = "html"


class SlowHeaders(AnswerFault):
    """The call is handled at once and answered late: who gives up waiting does not know what happened."""

    kind: Literal["slow_headers"] = "slow_headers"
    wait_s: float = Field(gt=0.0, le=_WAIT_S_MAX)


class SlowBody(AnswerFault):
    """The answer starts at once and then drips."""

    kind: Literal["slow_body"] = "slow_body"
    wait_s: float = Field(gt=0.0, le=_WAIT_S_MAX)  # Before each chunk.
    chunks: int = Field(4, ge=1, le=100)


class Dropped(AnswerFault):
    """The connection closes before the call is handled, after it, or in the middle of the answer."""

    kind: Literal["dropped"] = "dropped"
    when: Literal["before_handling", "after_handling", "mid_body"] = "before_handling"
