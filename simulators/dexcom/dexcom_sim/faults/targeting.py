"""The members that select the calls a fault acts on: user, path, how many, how often and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from dexcom_sim.people.population import SimulatedPerson


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """The properties of a call that a fault can select by."""

    path: str
    user: str | None = None
    grant_type: str = ""
    is_new_user: bool = False  # The call has a code of a user who is not connected yet.


@dataclass(frozen=True, slots=True)
class FaultContext:
    """When a fault started, the seed of its random choices, and the user whose response it changes."""

    at_s: int
    seed: int
    person: SimulatedPerson | None = None


class TargetedFault(BaseModel):
    """
    A fault that acts on selected calls.

    It selects calls of `user` (or of every user) to `path` (or to every path; `*` matches any text). It
    ignores the first `skip` of these calls and acts on each further one with the chance `rate`. It ends after
    it has acted on `times` calls, or `lasts_s` seconds of simulated time after it started.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    user: str | None = None
    path: str = "*"
    skip: int = Field(0, ge=0)
    rate: float = Field(1.0, gt=0.0, le=1.0)
    times: int | None = Field(None, ge=1)
    lasts_s: float | None = Field(None, gt=0.0)

    def matches(self, call: IncomingCall) -> bool:
        """Whether this is one of the selected calls."""
        return self.user in {None, call.user} and fnmatchcase(call.path, self.path)
