"""
The active faults, oldest first, and the selection of those that act on a call.

If several response faults match a call, only the oldest one that is not used up acts on it. The others do not
count it. Example: two 503s ordered before one 429 give the sequence 503, 503, 429.

If several record faults match a call, all of them act on it, oldest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from dexcom_sim.faults.kinds import as_ordered
from dexcom_sim.faults.record_faults import RecordFault
from dexcom_sim.faults.response_faults import ResponseFault
from dexcom_sim.faults.targeting import FaultContext, IncomingCall, TargetedFault
from dexcom_sim.keyed_random import derive, draw

if TYPE_CHECKING:
    from dexcom_sim.faults.kinds import LastingFault
    from dexcom_sim.faults.record_faults import AppliedFault

FAULTS_MAX = 1_000  # A test that adds more has forgotten to clear them.
_CHANCE = 1  # The salt of the random numbers that decide about single calls.


class TooManyFaults(Exception):
    """The list is full."""


@dataclass(slots=True)
class ActiveFault:
    """A fault and the number of calls it matched and acted on. It stays listed until it is cleared."""

    number: int
    fault: LastingFault
    context: FaultContext
    matched: int = 0
    struck: int = 0

    def acts_on(self, call: IncomingCall, now_s: int) -> bool:
        """Decide whether the fault acts on this call, and count the call."""
        fault = self.fault
        if not isinstance(fault, TargetedFault) or not fault.matches(call) or self._is_over(fault, now_s):
            return False
        self.matched += 1
        if self.matched <= fault.skip or draw(self.context.seed, _CHANCE, self.matched) >= fault.rate:
            return False
        self.struck += 1
        return True

    def _is_over(self, fault: TargetedFault, now_s: int) -> bool:
        is_used_up = fault.times is not None and self.struck >= fault.times
        return is_used_up or (fault.lasts_s is not None and now_s >= self.context.at_s + fault.lasts_s)

    def report(self) -> dict[str, Any]:
        """The fault as the control API lists it."""
        return {"id": self.number, **as_ordered(self.fault), "matched": self.matched, "struck": self.struck}


class FaultList:
    """The active faults in the order in which they were added. Safe to use from many threads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = Lock()
        self._last_number = 0
        self._active: list[ActiveFault] = []

    def add(self, fault: LastingFault, now_s: int) -> ActiveFault:
        """Add a fault; raise TooManyFaults if the list is full."""
        with self._lock:
            if len(self._active) >= FAULTS_MAX:
                raise TooManyFaults(f"{FAULTS_MAX} faults are active already; clear them first")
            self._last_number += 1
            context = FaultContext(now_s, derive(self._seed, "fault", self._last_number))
            active = ActiveFault(self._last_number, fault, context)
            self._active.append(active)
            return active

    def remove(self, number: int | None = None) -> list[ActiveFault]:
        """Remove one fault, or all faults, and return what was removed."""
        with self._lock:
            removed = [active for active in self._active if number in {None, active.number}]
            self._active = [active for active in self._active if number not in {None, active.number}]
            return removed

    def response_fault(self, call: IncomingCall, now_s: int) -> ResponseFault | None:
        """The fault that replaces or delays the response of this call, if any."""
        with self._lock:
            for active in self._active:
                if isinstance(active.fault, ResponseFault) and active.acts_on(call, now_s):
                    return active.fault
            return None

    def record_faults(self, call: IncomingCall, now_s: int) -> list[AppliedFault]:
        """The faults that change the records of this call, oldest first."""
        with self._lock:
            return [
                (active.fault, active.context)
                for active in self._active
                if isinstance(active.fault, RecordFault) and active.acts_on(call, now_s)
            ]

    def report(self) -> list[dict[str, Any]]:
        """All active faults, as the control API lists them."""
        with self._lock:
            return [active.report() for active in self._active]
