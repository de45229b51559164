"""Whom a fault hits, and when: the members that every kind of fault has."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from dexcom_sim.people import Person


@dataclass(frozen=True, slots=True)
class Aimed:
    """What a fault may know about a call before it strikes."""

    path: str
    user: str | None = None
    grant_type: str = ""
    is_new_person: bool = False  # A code, of someone the application is not connected with yet.


@dataclass(frozen=True, slots=True)
class Posted:
    """When a fault was ordered, and the seed its chances are drawn from."""

    at_s: int
    seed: int
    person: Person | None = None  # Whose answer it strikes.


class Aim(BaseModel):
    """
    A fault strikes calls of `user` (or everyone's) to `path` (or any; `*` stands for anything).

    Of those it lets the first `skip` pass, then strikes each with the chance `rate`, at most `times` times
    and no longer than `lasts_s` seconds of simulated time after it was ordered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    user: str | None = None
    path: str = "*"
    skip: int = Field(0, ge=0)
    rate: float = Field(1.0, gt=0.0, le=1.0)
    times: int | None = Field(None, ge=1)
    lasts_s: float | None = Field(None, gt=0.0)

    def hits(self, call: Aimed) -> bool:
        """Whether this is a call of the kind it is aimed at."""
        return self.user in {None, call.user} and fnmatchcase(call.path, self.path)
