# Circuit breaker of one host, without I/O: all states and all transitions.
#
# A call is admitted, then it succeeds or fails. It fails if the host did not answer, or answered with a
# failure of its own. A call is made for one account, or for no account.
#
#          failures_max failures in a row          after `recovery`, one call becomes the probe
#  CLOSED -------------------------------> OPEN -------------------------------------> PROBING
#    ^  ^                                  ^  ^                                          |  |
#    |  |                                  |  |  the probe failed, or had no outcome     |  |
#    |  |                                  |  +--within probe_max-----------------------+  |
#    |  +---- the probe succeeded ---------------------------------------------------------+
#    |                                     |
#    |                                     | the run of failures, now with another account, has failures_max
#    | a call for another account          |
#    +--------- succeeded ---- OPEN TO ONE ACCOUNT      (entered from CLOSED if all failures of the run were
#                                                        calls for that account; it probes like OPEN)
#
# Counting failures
#  1. If a call succeeds while the circuit is closed, then the run of failures ends.
#  2. If a call fails while the circuit is closed, then the run grows by one.
#     If the last failure is older than `failures_kept`, then a new run starts with this failure.
#  3. If the run reaches `failures_max`, then the circuit opens.
#     If all its calls were for the same account, then the circuit opens to that account only.
#     Example: five calls for A fail. Calls for A are refused, calls for B are admitted.
#
# While the circuit is open to account A only
#  4. If a call for another account or for no account succeeds, then the circuit closes for A as well.
#  5. If such a call fails, then the run grows as in rule 2, and A stays refused.
#     If the run reaches `failures_max`, then the circuit opens to all accounts.
#     Example: A opened the circuit with five failures. B fails one minute later, the sixth in the run: open.
#     Example: B fails three minutes later, the first of a new run: A stays refused, B stays admitted.
#
# Probing
#  6. If the circuit has been open for `recovery`, then the next call becomes the probe.
#     If a probe is under way, then all other calls are refused until its outcome or until `probe_max`.
#  7. If the probe succeeds, then the circuit closes. If it fails, then the circuit opens again from now.
#  8. If the circuit is open to all accounts, then the suspect has to wait for `suspect_recovery` to probe.
#     The suspect is the account whose call failed first in the run, or that probed last without success.
#
# Late outcomes
#  9. If the circuit is open to an account, then only the outcome of its current probe counts. The outcome of
#     a call that was sent before the opening, or of a probe that exceeded `probe_max`, changes nothing.
#
# A transition without a change returns an equal value, and the shared breaker does not write an equal value.
"""Circuit breaker: refuses calls to a host after several failures in a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """The limits of a circuit breaker."""

    # In a row, counted over all processes. A single failed call does not open the circuit, and an outage
    # costs the provider five calls.
    failures_max: int = 5
    # A process that fails and ends must not leave a run of failures behind.
    failures_kept: timedelta = timedelta(minutes=2)
    # A provider takes minutes to restart, and a probe every half minute is cheap.
    recovery: timedelta = timedelta(seconds=30)
    # Longer than the slowest response that is waited for: a probe without outcome after this has crashed.
    probe_max: timedelta = timedelta(seconds=60)
    # An account that always fails must not keep the circuit open by probing. Another account gets one more
    # recovery time to probe first.
    suspect_recovery: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Permit:
    """The breaker's answer for one call; the caller hands it back with the outcome."""

    allowed: bool
    wait_s: float = 0.0  # If refused: until a retry can be admitted.
    prober: str | None = None  # The name of the probe, if this call is one.
    account_key: str | None = None  # A pseudonym of the account that the call is for.


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of a circuit breaker; it is closed if `opened_at` is None."""

    failures: int = 0  # The length of the run.
    failed_at: datetime | None = None
    opened_at: datetime | None = None
    prober: str | None = None
    probe_until: datetime | None = None
    suspect: str | None = None  # See rule 8.
    suspect_only: bool = False  # All calls of the run were for the suspect: the circuit opens to it only.

    def opened_to(self, account_key: str | None) -> datetime | None:
        """Since when calls for this account are refused; None if they are admitted."""
        return None if self.suspect_only and account_key != self.suspect else self.opened_at

    def refused_until(self, account_key: str | None, now: datetime, rules: CircuitRules) -> datetime | None:
        """When the next call for this account can be admitted; None if that is now."""
        opened_at = self.opened_to(account_key)
        if opened_at is None:
            return None
        must_wait = not self.suspect_only and account_key is not None and account_key == self.suspect
        tested_from = opened_at + (rules.suspect_recovery if must_wait else rules.recovery)
        return max((at for at in (tested_from, self.probe_until) if at and now < at), default=None)

    def with_prober(
        self, prober: str, account_key: str | None, now: datetime, rules: CircuitRules
    ) -> Circuit:
        """The circuit with this call as its probe; unchanged if no probe is due (rule 6)."""
        if self.opened_to(account_key) is None or self.refused_until(account_key, now, rules):
            return self
        return replace(self, prober=prober, probe_until=now + rules.probe_max)

    def after_success(self, prober: str | None, account_key: str | None) -> Circuit:
        """The circuit after a success of the probe `prober`, or of any other call if None."""
        return Circuit() if self._counts(prober, account_key) else self

    def after_failure(
        self, prober: str | None, account_key: str | None, now: datetime, rules: CircuitRules
    ) -> Circuit:
        """The circuit after a failure of the probe `prober`, or of any other call if None."""
        if not self._counts(prober, account_key):
            return self
        recent = self.failed_at is not None and now - self.failed_at < rules.failures_kept
        failures = self.failures + 1 if recent else 1
        if self.opened_to(account_key):  # It was the probe (rule 7).
            return Circuit(failures, now, opened_at=now, suspect=account_key, suspect_only=self.suspect_only)
        if self.opened_at:  # Open to the suspect only, and this call was for another account (rule 5).
            suspect, suspect_only = self.suspect, failures < rules.failures_max
        else:
            suspect = self.suspect if recent else account_key
            same = account_key is not None and account_key == suspect
            suspect_only = same and (self.suspect_only or not recent)
        if failures < rules.failures_max:
            return replace(self, failures=failures, failed_at=now, suspect=suspect, suspect_only=suspect_only)
        return Circuit(failures, now, opened_at=now, suspect=suspect, suspect_only=suspect_only)

    def _counts(self, prober: str | None, account_key: str | None) -> bool:
        """Whether the outcome of a call changes the circuit (rule 9)."""
        return self.opened_to(account_key) is None or (prober is not None and prober == self.prober)
