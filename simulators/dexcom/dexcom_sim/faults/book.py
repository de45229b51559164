"""
The faults that stand, oldest first, and which of them strikes a call.

Of the faults of whole answers, the oldest that still has something to do takes the call and the others do not
see it: ordering two 503s and then a 429 gives exactly this sequence. Faults of records all take part.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from dexcom_sim.faults.aim import Aim, Aimed, Posted
from dexcom_sim.faults.answers import AnswerFault
from dexcom_sim.faults.changes import Change
from dexcom_sim.faults.kinds import told
from dexcom_sim.noise import derive, draw

if TYPE_CHECKING:
    from dexcom_sim.faults.changes import Ordered
    from dexcom_sim.faults.kinds import StandingFault

FAULTS_MAX = 1_000  # More than that is a test that forgot to clear.
_CHANCE = 1


class TooManyFaults(Exception):
    """Nobody can tell any more what will happen."""


@dataclass(slots=True)
class Standing:
    """A fault and what it has done so far; one that is spent stays listed until it is cleared."""

    number: int
    fault: StandingFault
    posted: Posted
    matched: int = 0
    struck: int = 0

    def strikes(self, call: Aimed, now_s: int) -> bool:
        """Whether it hits this call; asking counts."""
        aim = self.fault
        if not isinstance(aim, Aim) or not aim.hits(call) or self._is_over(aim, now_s):
            return False
        self.matched += 1
        if self.matched <= aim.skip or draw(self.posted.seed, _CHANCE, self.matched) >= aim.rate:
            return False
        self.struck += 1
        return True

    def _is_over(self, aim: Aim, now_s: int) -> bool:
        is_spent = aim.times is not None and self.struck >= aim.times
        return is_spent or (aim.lasts_s is not None and now_s >= self.posted.at_s + aim.lasts_s)

    def report(self) -> dict[str, Any]:
        """As the control API lists it: only what was said about it."""
        return {"id": self.number, **told(self.fault), "matched": self.matched, "struck": self.struck}


class FaultBook:
    """Keeps the faults in the order in which they were ordered."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = Lock()
        self._last_number = 0
        self._standing: list[Standing] = []

    def add(self, fault: StandingFault, now_s: int) -> Standing:
        """Let it stand from now on."""
        with self._lock:
            if len(self._standing) >= FAULTS_MAX:
                raise TooManyFaults(f"{FAULTS_MAX} faults stand already; clear them first")
            self._last_number += 1
            posted = Posted(now_s, derive(self._seed, "fault", self._last_number))
            standing = Standing(self._last_number, fault, posted)
            self._standing.append(standing)
            return standing

    def remove(self, number: int | None = None) -> list[Standing]:
        """Take back one fault, or all; returns what was taken back."""
        with self._lock:
            gone = [standing for standing in self._standing if number in {None, standing.number}]
            left = [standing for standing in self._standing if number not in {None, standing.number}]
            self._standing = left
            return gone

    def answer_fault(self, call: Aimed, now_s: int) -> AnswerFault | None:
        """The one that takes this whole call, if any."""
        with self._lock:
            for standing in self._standing:
                if isinstance(standing.fault, AnswerFault) and standing.strikes(call, now_s):
                    return standing.fault
            return None

    def changes(self, call: Aimed, now_s: int) -> list[Ordered]:
        """All that change the records of this call, in the order they were ordered."""
        with self._lock:
            return [
                (standing.fault, standing.posted)
                for standing in self._standing
                if isinstance(standing.fault, Change) and standing.strikes(call, now_s)
            ]

    def report(self) -> list[dict[str, Any]]:
        """Everything that stands."""
        with self._lock:
            return [standing.report() for standing in self._standing]
