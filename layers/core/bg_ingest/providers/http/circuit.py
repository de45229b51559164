# Circuit breaker of one host, without I/O: all states and all transitions.
#
# A call is admitted, then it succeeds or fails. It fails if the host did not answer, or answered with a
# failure of its own. A call is made for one account, or for no account.
#
#          the failure rate is too high            after `recovery`, one call becomes the probe
#  CLOSED -------------------------------> OPEN -------------------------------------> PROBING
#    ^  ^                                  ^  ^                                          |  |
#    |  |                                  |  |  the probe failed, or had no outcome     |  |
#    |  |                                  |  +--within probe_max-----------------------+  |
#    |  +---- the probe succeeded ---------------------------------------------------------+
#    |                                     |
#    | a call for another account          | the failure rate of the other accounts is too high
#    +--------- succeeded ---- OPEN TO ONE ACCOUNT      (entered from CLOSED after `alone_failures` failures
#                                                        in a row of the suspect; it probes like OPEN)
#
# The window: two halves, so that old calls leave it without a record of each call
#
#     calls_before, failures_before | calls, failures            a half ends after `half_calls` calls, or
#     ------------------------------|-----------------> time     after `half`; without a call for two halves,
#          the half before          began_at      now            both are empty
#
#  1. The window counts all calls except those of the suspect.
#  2. If the window has at least `calls_min` calls, and at least `failure_rate` of them failed, then the
#     circuit opens to all accounts. Fewer calls than `calls_min` say nothing about a rate.
#     Example: 2 of 100 calls fail, in many processes at once: the circuit stays closed.
#     It opens `settle` after the window's first failure at the earliest. Until then the processes that saw no
#     failure have not reported their successes, so the rate looks higher than it is.
#  2a. If `own_failures` calls of one process fail in a row, for `own_accounts`, then the circuit opens to all
#     accounts at once: a process needs no report of its own calls.
#
# The suspect: one account whose failures say nothing about the host
#  3. If a call for an account fails while the window has no failure, then this account becomes the suspect.
#     It replaces a suspect that has succeeded since, if the window has fewer than `calls_min` calls.
#  4. If `alone_failures` calls for the suspect fail in a row, then the circuit opens to the suspect only.
#     Example: five calls for A fail. Calls for A are refused, calls for B are admitted.
#  5. While the circuit is open to A only, a success of another account closes it for A as well.
#  6. If the last failure of the suspect is older than `failures_kept`, then it is no longer the suspect.
#
# Probing
#  7. If the circuit has been open for `recovery`, then the next call becomes the probe.
#     If a probe is under way, then all other calls are refused until its outcome or until `probe_max`.
#  8. If the probe succeeds, then the circuit closes. If it fails, then the circuit opens again from now.
#  9. If the circuit is open to all accounts, then the suspect has to wait for `suspect_recovery` to probe.
#     An account whose probe failed is the suspect from then on.
#
# Late outcomes
# 10. If the circuit is open to an account, then only the outcome of its current probe counts. The outcome of
#     a call that was sent before the opening, or of a probe that exceeded `probe_max`, changes nothing.
"""Circuit breaker: refuses calls to a host whose failure rate is too high."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """The limits of a circuit breaker."""

    # Between the worst host that is still useful with three attempts per call, and one that is down.
    failure_rate: float = 0.5
    # Of 20 calls to a host that fails 20 %, 10 fail with a probability of 0.3 %. An outage costs 20 calls.
    calls_min: int = 20
    # A busy service judges its last 100 to 200 calls: a few seconds.
    half_calls: int = 100
    # A service with few calls judges its last one to two minutes.
    half: timedelta = timedelta(minutes=1)
    # Twice the time after which each process has read of the first failure.
    settle: timedelta = timedelta(seconds=4)
    # In a row, of one process, for so many accounts: a few accounts may have failures of their own. A host
    # that fails half of its calls does that once in a thousand calls.
    own_failures: int = 10
    own_accounts: int = 4
    # In a row, of one account. They are one call with three attempts, and its retry.
    alone_failures: int = 5
    # A process that fails and ends must not leave a suspect behind.
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
    wait_s: float = 0.0  # If refused: when a call can be admitted at the earliest.
    prober: str | None = None  # Set for the probe.
    account_key: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """The outcomes of some calls for one account, or for no account."""

    calls: int = 0
    failures: int = 0
    run: int = 0  # Failures since the last success.

    def plus(self, *, failed: bool) -> Tally:
        """The tally with one more call."""
        return Tally(self.calls + 1, self.failures + failed, self.run + 1 if failed else 0)


class Circuit(NamedTuple):  # Faster to change than a dataclass; each call changes it.
    """The state of one circuit; by default closed, without calls."""

    calls: int = 0
    failures: int = 0
    calls_before: int = 0
    failures_before: int = 0
    began_at: datetime | None = None
    failing_since: datetime | None = None  # The window's first failure.
    suspect: str | None = None
    run: int = 0  # The suspect's failures in a row.
    failed_at: datetime | None = None  # The suspect's last failure.
    opened_at: datetime | None = None
    suspect_only: bool = False  # Open to the suspect only.
    prober: str | None = None
    probe_until: datetime | None = None

    def opened_to(self, account_key: str | None) -> datetime | None:
        """Since when calls for this account are refused; None if they are admitted."""
        return None if self.suspect_only and account_key != self.suspect else self.opened_at

    @property
    def has_failures(self) -> bool:
        """Whether the window or the suspect has failures, so that successes matter as well."""
        return bool(self.failures or self.failures_before or self.run or self.opened_at)

    def fails_often(self, rules: CircuitRules) -> bool:
        """Whether the known calls are too few to open the circuit, and fail often enough."""
        calls, failures = self.calls + self.calls_before, self.failures + self.failures_before
        return bool(failures or self.run) and failures >= rules.failure_rate * calls

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
        """The circuit with this call as its probe; unchanged if no probe is due (rule 7)."""
        if self.opened_to(account_key) is None or self.refused_until(account_key, now, rules):
            return self
        return self._replace(prober=prober, probe_until=now + rules.probe_max)

    def after_probe(self, prober: str, account_key: str | None, now: datetime, *, failed: bool) -> Circuit:
        """The circuit after a probe; unchanged unless this is the current probe (rules 8 and 10)."""
        if self.opened_to(account_key) is None or prober != self.prober:
            return self
        if not failed:
            return Circuit()
        return self._replace(opened_at=now, suspect=account_key, prober=None, probe_until=None)

    def after_calls(
        self, account_key: str | None, tally: Tally, now: datetime, rules: CircuitRules
    ) -> Circuit:
        """The circuit after calls other than probes (rules 1 to 6)."""
        if self.opened_to(account_key):
            return self
        circuit = self.at(now, rules)
        if account_key is not None and tally.failures and circuit.may_replace_suspect(rules):
            circuit = circuit._replace(suspect=account_key, run=0)
        if account_key is not None and account_key == circuit.suspect:
            run = circuit.run + tally.run if tally.run == tally.calls else tally.run
            circuit = circuit._replace(run=run, failed_at=now if tally.failures else circuit.failed_at)
        else:
            if tally.failures and not (circuit.failures or circuit.failures_before):
                circuit = circuit._replace(failing_since=now)
            calls, failures = circuit.calls + tally.calls, circuit.failures + tally.failures
            circuit = circuit._replace(calls=calls, failures=failures)
            if circuit.suspect_only and tally.calls > tally.failures:
                circuit = Circuit(
                    calls,
                    failures,
                    circuit.calls_before,
                    circuit.failures_before,
                    circuit.began_at,
                    circuit.failing_since,
                )
        return circuit.judged(now, rules)

    def at(self, now: datetime, rules: CircuitRules) -> Circuit:
        """The circuit with the window and the suspect as they are at this time."""
        circuit = self
        outdated = self.failed_at is not None and now - self.failed_at >= rules.failures_kept
        if outdated and self.opened_at is None:
            circuit = self._replace(suspect=None, run=0, failed_at=None)
        if self.began_at is None or now - self.began_at >= 2 * rules.half:
            return circuit._replace(calls=0, failures=0, calls_before=0, failures_before=0, began_at=now)
        if self.calls >= rules.half_calls or now - self.began_at >= rules.half:
            circuit = circuit._replace(calls_before=self.calls, failures_before=self.failures)
            return circuit._replace(calls=0, failures=0, began_at=now)
        return circuit

    def judged(self, now: datetime, rules: CircuitRules) -> Circuit:
        """The circuit, open if rule 2 or rule 4 says so."""
        calls, failures = self.calls + self.calls_before, self.failures + self.failures_before
        is_open_to_all = self.opened_at is not None and not self.suspect_only
        too_many = calls >= rules.calls_min and failures >= rules.failure_rate * calls
        settled = self.failing_since is not None and now - self.failing_since >= rules.settle
        if too_many and settled and not is_open_to_all:
            return Circuit(opened_at=now, suspect=self.suspect)
        if self.opened_at is None and self.run >= rules.alone_failures:
            return self._replace(opened_at=now, suspect_only=True)
        return self

    def opened_to_all(self, now: datetime) -> Circuit:
        """The circuit, open to all accounts (rule 2a)."""
        is_open = self.opened_at is not None and not self.suspect_only
        return self if is_open else Circuit(opened_at=now, suspect=self.suspect)

    def may_replace_suspect(self, rules: CircuitRules) -> bool:
        """Whether an account that fails now becomes the suspect (rule 3)."""
        if self.opened_at or self.failures or self.failures_before:
            return False
        return self.suspect is None or (self.run == 0 and self.calls + self.calls_before < rules.calls_min)
