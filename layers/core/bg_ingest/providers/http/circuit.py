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
# To whom it is open: to everybody; but while one account's calls alone have failed, to that account only.
# Calls for the others are let through as if it were closed, and the first of those that comes back decides:
#
#  OPEN to A only ---- it is answered ----> CLOSED
#                 \--- it is not ----> the run is everybody's: OPEN if that is long enough, and A probes last
#
# Of those it is open to, an outcome counts only where its call was admitted: what was sent before it opened
# and comes back later neither opens it longer nor closes it, and neither does a prober that was given up.
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
    # Who may be the only one in trouble would keep it open for all, probing in vain. The others may probe
    # first, and have another recovery time to come and do so.
    suspect_recovery: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of the breaker; closed unless it has an instant of opening."""

    failures: int = 0
    failed_at: datetime | None = None
    opened_at: datetime | None = None
    prober: str | None = None
    probe_until: datetime | None = None
    suspect: str | None = None  # The account whose call failed first, or was the last to probe in vain.
    alone: bool = False  # Only calls for the suspect have failed.

    def opened_to(self, account_key: str | None) -> datetime | None:
        """Since when calls for this account, or for nobody (None), are refused; None if they are not."""
        return None if self.alone and account_key != self.suspect else self.opened_at

    def refused_until(self, account_key: str | None, now: datetime, rules: CircuitRules) -> datetime | None:
        """When it is worth asking again; None if that is now."""
        opened_at = self.opened_to(account_key)
        if opened_at is None:
            return None
        waits_for_others = not self.alone and account_key is not None and account_key == self.suspect
        tested_from = opened_at + (rules.suspect_recovery if waits_for_others else rules.recovery)
        return max((at for at in (tested_from, self.probe_until) if at and now < at), default=None)

    def with_prober(
        self, prober: str, account_key: str | None, now: datetime, rules: CircuitRules
    ) -> Circuit:
        """One caller is elected to try; nobody is while it is too early or somebody else is trying."""
        if self.opened_to(account_key) is None or self.refused_until(account_key, now, rules):
            return self
        return replace(self, prober=prober, probe_until=now + rules.probe_max)

    def after_success(self, prober: str | None, account_key: str | None) -> Circuit:
        """A call admitted as `prober`, or as any other (None), was answered."""
        return self if self._not_asked_of(prober, account_key) else Circuit()

    def after_failure(
        self, prober: str | None, account_key: str | None, now: datetime, rules: CircuitRules
    ) -> Circuit:
        """A call admitted as `prober`, or as any other (None), was not answered."""
        if self._not_asked_of(prober, account_key):
            return self
        recent = self.failed_at is not None and now - self.failed_at < rules.failures_kept
        failures = self.failures + 1 if recent else 1
        if self.opened_to(account_key):  # It was the probe.
            return Circuit(failures, failed_at=now, opened_at=now, suspect=account_key, alone=self.alone)
        suspect = self.suspect if recent else account_key
        return Circuit(
            failures,
            failed_at=now,
            opened_at=now if failures >= rules.failures_max else None,
            suspect=suspect,
            alone=account_key is not None and account_key == suspect and (self.alone or not recent),
        )

    def _not_asked_of(self, prober: str | None, account_key: str | None) -> bool:
        # Closed, anybody's outcome counts; open, nobody's but the prober's.
        return self.opened_to(account_key) is not None and (prober is None or prober != self.prober)
