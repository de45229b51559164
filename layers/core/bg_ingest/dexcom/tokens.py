"""What the token endpoint gives, read with all the patience it deserves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bg_ingest.dexcom.errors import ContractBroken
from bg_ingest.dexcom.glucose import number_of

# What Dexcom has always said. Tokens without a believable lifetime are still tokens, and the refresh token
# that came with them is the only one alive: losing it over a number would end the connection.
_EXPIRES_IN_S_DEFAULT = 7200.0
_EXPIRES_IN_S_MAX = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a person's consent is worth for a while; the repr shows when that ends and nothing else."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime


def tokens_of(answer: dict[str, Any], asked_at: datetime, spent: str | None) -> Tokens:
    """The tokens of an answer; without a new refresh token the `spent` one was not spent."""
    access_token = answer.get("access_token")
    refresh_token = answer.get("refresh_token") or spent
    if not (access_token and isinstance(access_token, str)):
        raise ContractBroken("the answer has no access token")
    if not (refresh_token and isinstance(refresh_token, str)):
        raise ContractBroken("the answer has no refresh token")
    return Tokens(access_token, refresh_token, asked_at + _lifetime(answer.get("expires_in")))


def _lifetime(expires_in: object) -> timedelta:
    if isinstance(expires_in, str) and expires_in.isdecimal() and len(expires_in) < 10:
        expires_in = int(expires_in)
    seconds = number_of(expires_in)
    if seconds is None or not 0 < seconds <= _EXPIRES_IN_S_MAX:
        seconds = _EXPIRES_IN_S_DEFAULT
    return timedelta(seconds=seconds)
