"""Faults that happen once, outside any call, and what they leave behind."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Deed(BaseModel):
    """Something that is done to the world when it is ordered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str


class UserRevoked(Deed):
    """The person withdraws consent at Dexcom: all their tokens are dead until they connect again."""

    kind: Literal["user_revoked"] = "user_revoked"
    user: str


class RefreshTokenUsed(Deed):
    """Someone else uses the refresh token first: the access token lives on, the next refresh is refused."""

    kind: Literal["refresh_token_used"] = "refresh_token_used"
    user: str


class AccessTokenExpired(Deed):
    """The access token dies early; the refresh token still works."""

    kind: Literal["access_token_expired"] = "access_token_expired"
    user: str


class QuotaExhausted(Deed):
    """The application may make fewer calls per hour from now on; the hour's calls so far count."""

    kind: Literal["quota"] = "quota"
    user: None = None  # The quota is the application's, never one person's.
    calls_per_hour_max: int = Field(ge=0)
    retry_after: bool = False  # Whether the 429 says when the hour is over.


class LateUploads(Deed):
    """
    What has not been uploaded yet arrives that much later, or when the fault is cleared.

    Then all of it at once, or newest first, and the oldest `newest_first_s` after the newest.
    """

    kind: Literal["late_uploads"] = "late_uploads"
    user: str | None = None
    delay_s: int = Field(gt=0, le=60 * 86_400)
    newest_first_s: int = Field(0, ge=0, le=86_400)
