"""Faults that change the state of the simulated Dexcom instead of single calls."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class StateFault(BaseModel):
    """A fault that changes the state when it starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str


class UserRevoked(StateFault):
    """The user withdraws consent at Dexcom: all tokens are invalid until the user connects again."""

    kind: Literal["user_revoked"] = "user_revoked"
    user: str


class RefreshTokenUsed(StateFault):
    """Another client has used the refresh token: the next refresh fails, the access token stays valid."""

    kind: Literal["refresh_token_used"] = "refresh_token_used"
    user: str


class AccessTokenExpired(StateFault):
    """The access token expires early; the refresh token stays valid."""

    kind: Literal["access_token_expired"] = "access_token_expired"
    user: str


class QuotaExhausted(StateFault):
    """The application may make fewer calls an hour. The calls of the current hour count."""

    kind: Literal["quota"] = "quota"
    user: None = None  # The quota belongs to the application, not to a user.
    calls_per_hour_max: int = Field(ge=0)
    retry_after: bool = False  # Whether the 429 has a Retry-After header.


class LateUploads(StateFault):
    """
    Uploads that have not arrived yet arrive `delay_s` later, or when the fault is cleared.

    When the fault is cleared, all of them arrive at once. With `newest_first_s` the newest arrives at once
    and the oldest that many seconds later.
    """

    kind: Literal["late_uploads"] = "late_uploads"
    user: str | None = None
    delay_s: int = Field(gt=0, le=60 * 86_400)
    newest_first_s: int = Field(0, ge=0, le=86_400)
