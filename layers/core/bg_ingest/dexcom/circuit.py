# The circuit breaker that many processes share, with no I/O in it.
#
# Rule 1: every state and every transition of the shared breaker lives in this file.
# Rule 2: nothing here reads a clock or a table; each call is told what time it is and who asks.
# Rule 3: a transition that changes nothing returns an equal value, and what is equal is not written.
#
#          failures_max in a row                   recovery has passed, one caller is elected
#  CLOSED -----------------------> OPEN ----------------------------------------> PROBING
#    ^                              ^  ^                                           |  |
#    |                              |  |  the probe failed, or its caller was not  |  |
#    |                              |  +--heard of for probe_max-------------------+  |
#    +--------------------------------------- the probe succeeded --------------------+
#
# An outcome counts only where its call was admitted: what was sent before the circuit opened and comes back
# afterwards neither opens it longer nor closes it, and neither does a prober that was given up.
"""When calls to one host are refused because too many have failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """When the circuit opens, and how it closes again."""

    # Five calls in a row, of all processes, without a success between them: one unlucky call does not
    # matter, and an outage costs Dexcom five calls.
    failures_max: int = 5
    # Older failures are forgotten: a process that fails and goes away would leave its mark for good.
    failures_kept: timedelta = timedelta(minutes=2)
    # A restart at Dexcom takes minutes; a probe every half minute costs nothing.
    recovery: timedelta = timedelta(seconds=30)
    # Longer than the slowest answer we wait for. A probe that takes longer has died with its process.
    probe_max: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of the breaker; closed unless it has an instant of opening."""

    failures: int = 0
    failed_at: datetime | None = None
    opened_at: datetime | None = None
    prober: str | None = None
    probe_until: datetime | None = None

    def refused_until(self, now: datetime, rules: CircuitRules) -> datetime | None:
        """When it is worth asking again; None if that is now."""
        if self.opened_at is None:
            return None
        tested_from = self.opened_at + rules.recovery
        return max((at for at in (tested_from, self.probe_until) if at and now < at), default=None)

    def with_prober(self, prober: str, now: datetime, rules: CircuitRules) -> Circuit:
        """One caller is elected to try; nobody is while it is too early or somebody else is trying."""
        if self.opened_at is None or self.refused_until(now, rules):
            return self
        return replace(self, prober=prober, probe_until=now + rules.probe_max)

    def after_success(self, prober: str | None) -> Circuit:
        """A call admitted as `prober`, or as any other (None), was answered."""
        return self if self._not_asked_of(prober) else Circuit()

    def after_failure(self, prober: str | None, now: datetime, rules: CircuitRules) -> Circuit:
        """A call admitted as `prober`, or as any other (None), was not answered."""
        if self._not_asked_of(prober):
            return self
        recent = self.failed_at is not None and now - self.failed_at < rules.failures_kept
        failures = self.failures + 1 if recent else 1
        opens = self.opened_at is not None or failures >= rules.failures_max
        return Circuit(failures, failed_at=now, opened_at=now if opens else None)

    def _not_asked_of(self, prober: str | None) -> bool:
        # Closed, anybody's outcome counts; open, nobody's but the prober's.
        return self.opened_at is not None and (prober is None or prober != self.prober)
