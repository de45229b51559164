"""Faults on command: each acts on the calls whose path starts with its prefix, as often as it says."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["status", "slow", "truncated", "html", "redirect", "dropped"]


class FaultInvalid(ValueError):
    """The description of a fault cannot be used."""


@dataclass
class Fault:
    """One fault; `times` counts down, None means until it is cleared."""

    kind: Kind
    path: str = "*"
    times: int | None = None
    status: int = 503  # Of a "status" fault.
    retry_after_s: int | None = None
    wait_s: float = 5.0  # Of a "slow" fault.
    location: str = "http://169.254.169.254/"  # Of a "redirect".

    @classmethod
    def of(cls, described: dict[str, Any]) -> Fault:
        """A fault from its JSON form."""
        try:
            fault = cls(**described)
        except TypeError:
            raise FaultInvalid("unknown member") from None
        if fault.kind not in get_args(Kind):
            raise FaultInvalid("unknown kind")
        return fault

    def matches(self, path: str) -> bool:
        """Whether it acts on a call, and has not acted as often as it should."""
        return self.times != 0 and fnmatch.fnmatchcase(path, self.path)

    def acted(self) -> None:
        """Count one call."""
        if self.times is not None:
            self.times -= 1
