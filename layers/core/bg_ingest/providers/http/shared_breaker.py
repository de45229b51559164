"""
Circuit breaker of one host that all processes share through one DynamoDB item.

The transitions are in circuit.py. Outcomes are noted in memory. They are added to the item before the next
call, or at once after a failed call that can be repeated.

- While no call fails, each process reads once per `fresh_s` and writes nothing.
- While the window has a failure, each process adds its calls to the item once per `fresh_s`, and that write
  returns the item, so it replaces the read. A write that is rejected, because another process has just begun
  a new half of the window, is repeated once. 150 processes cost at most 150 writes a second.
- While the known calls are too few for a rate, and fail often, each call is preceded by a read.
- Counters are added (`ADD`), so that no count of another process is lost. A new half of the window moves the
  counters within the item. Only a transition writes the whole item, on the condition that `version` is
  unchanged.
- If the table does not answer, the last known circuit and the calls of this process decide for `RETRY_S`.
"""

from __future__ import annotations

import math
import uuid
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.clock import from_iso, to_iso
from bg_ingest.providers.http.circuit import Circuit, CircuitRules, Permit, Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table, Write

PK = "app#breaker"
# A write is rejected only if another process made a transition. After a few rounds nothing is left to write.
SWAPS_MAX = 20
# After a failed request. A throttled item recovers in seconds, and each attempt delays one call.
RETRY_S = 10.0


class SharedBreaker:
    """This process's view of the shared circuit breaker; thread-safe."""

    def __init__(
        self,
        table: Table,
        clock: Clock,
        host: str,
        rules: CircuitRules | None = None,
        *,
        fresh_s: float = 2.0,
    ) -> None:
        self._table = table
        self._clock = clock
        self._host = host
        self._rules = rules or CircuitRules()
        self._fresh_s = fresh_s
        self._lock = Lock()
        self._seen = Circuit()
        self._version = 0
        self._read_at_s = self._written_at_s = self._request_from_s = -math.inf
        self._noted: dict[str | None, Tally] = {}
        self._own_run: list[str | None] = []  # The accounts of this process's failures in a row.
        self._own_run_since = clock.now()
        self._probe: tuple[Permit, bool] | None = None  # Its outcome: whether it failed.

    def permit(self, account_key: str | None = None) -> Permit:
        """Whether a call for this account can be made now."""
        now = self._clock.now()
        with self._lock:
            self._try(partial(self._catch_up, account_key))
            circuit = self._with_noted()
            if circuit.opened_to(account_key) is None:
                return Permit(allowed=True, account_key=account_key)
            prober = None
            if not circuit.refused_until(account_key, now, self._rules):
                prober = uuid.uuid4().hex
                self._try(
                    partial(self._swap, lambda seen: seen.with_prober(prober, account_key, now, self._rules))
                )
                circuit = self._seen
            if circuit.opened_to(account_key) is None:  # Another process has just closed it.
                return Permit(allowed=True, account_key=account_key)
            if prober and circuit.prober == prober:
                return Permit(allowed=True, prober=prober, account_key=account_key)
            until = circuit.refused_until(account_key, now, self._rules)
            return Permit(allowed=False, wait_s=(until - now).total_seconds() if until else RETRY_S)

    def is_open(self) -> bool:
        """Whether calls are refused now; unlike `permit`, this starts no probe."""
        with self._lock:
            self._try(partial(self._catch_up, None))
            return self._with_noted().opened_to(None) is not None

    def succeeded(self, permit: Permit) -> None:
        """Note in memory that the host answered the call."""
        self._note(permit, failed=False)

    def failed(self, permit: Permit) -> None:
        """Note in memory that the host did not answer the call, or answered with a failure of its own."""
        self._note(permit, failed=True)

    def share(self) -> None:
        """Write what other processes must know of the noted outcomes; never raises."""
        with self._lock:
            self._try(self._write_noted)

    def _note(self, permit: Permit, *, failed: bool) -> None:
        with self._lock:
            if permit.prober:
                self._probe = permit, failed
            elif self._seen.opened_to(permit.account_key) is None:
                known = self._noted.get(permit.account_key, Tally())
                self._noted[permit.account_key] = known.plus(failed=failed)
                self._note_own(permit.account_key, failed=failed)

    def _note_own(self, account_key: str | None, *, failed: bool) -> None:
        now = self._clock.now()
        if not failed or now - self._own_run_since >= self._rules.half:
            self._own_run.clear()
        if not self._own_run:
            self._own_run_since = now
        if failed:
            self._own_run.append(account_key)

    def _try(self, request: Callable[[], None]) -> None:
        """Make a request unless one has just failed; a failure is not the call's."""
        if self._clock.monotonic_s() < self._request_from_s:
            return
        try:
            request()
        except (BotoCoreError, ClientError):
            self._request_from_s = self._clock.monotonic_s() + RETRY_S

    def _catch_up(self, account_key: str | None) -> None:
        self._write_noted()
        # Another process may just have opened the circuit.
        doubtful = self._seen.opened_to(account_key) is None and self._seen.fails_often(self._rules)
        if self._clock.monotonic_s() - self._read_at_s >= (0.0 if doubtful else self._fresh_s):
            self._adopt(self._table.get(PK, self._host))
            self._drop_what_is_no_news()

    def _write_noted(self) -> None:
        if self._probe:
            permit, failed = self._probe
            now, prober = self._clock.now(), permit.prober or ""
            self._swap(lambda seen: seen.after_probe(prober, permit.account_key, now, failed=failed))
            self._probe = None
        if self._has_own_outage():
            self._swap(lambda seen: seen.opened_to_all(self._clock.now()))
        if not self._noted or not (self._has_noted_failures() or self._seen.has_failures):
            return
        is_due = self._clock.monotonic_s() - self._written_at_s >= self._fresh_s
        circuit = self._with_noted()
        if is_due or _opening(circuit) != _opening(self._seen) or circuit.fails_often(self._rules):
            self._add_noted()

    def _add_noted(self) -> None:
        for _ in range(SWAPS_MAX):
            changed = self._with_noted()
            write = self._write(changed)
            if write.accepted:
                self._noted.clear()
                self._adopt(write.item)
                self._written_at_s = self._read_at_s
                self._swap(lambda seen: seen.judged(self._clock.now(), self._rules))
                return
            self._adopt(write.item)

    def _write(self, changed: Circuit) -> Write:
        """Add the counts to the item, or replace the item if this is a transition."""
        seen = self._seen
        same = _opening(changed) == _opening(seen) and changed.suspect == seen.suspect
        if self._version == 0 or not same or seen.began_at is None or changed.began_at is None:
            return self._replace(changed)
        values: Item = {":seen": self._version, ":calls": changed.calls, ":failures": changed.failures}
        values |= {":run": changed.run - seen.run, ":failed_at": to_iso(changed.failed_at)}
        values |= {":since": to_iso(changed.failing_since)}
        unchanged = "version = :seen"
        if changed.began_at == seen.began_at:
            values[":calls"] -= seen.calls
            values[":failures"] -= seen.failures
            return self._update(
                "SET failed_at = :failed_at, failing_since = :since "
                "ADD calls :calls, failures :failures, suspect_run :run",
                values,
                unchanged,
            )
        if (changed.calls_before, changed.failures_before) != (seen.calls, seen.failures):
            return self._replace(changed)  # Nothing was counted for two halves.
        values |= {":now": to_iso(changed.began_at), ":began_at": to_iso(seen.began_at)}
        return self._update(
            "SET calls_before = calls, failures_before = failures, calls = :calls, failures = :failures, "
            "began_at = :now, failed_at = :failed_at, failing_since = :since ADD suspect_run :run",
            values,
            f"{unchanged} AND began_at = :began_at",
        )

    def _update(self, change: str, values: Item, condition: str) -> Write:
        return self._table.update(PK, self._host, change, values, condition)

    def _replace(self, changed: Circuit) -> Write:
        unseen = "attribute_not_exists(pk)"
        unchanged = "version = :seen"
        item = _to_item(self._host, changed, self._version + 1)
        condition = f"{unchanged} OR {unseen}" if self._version == 0 else unchanged
        write = self._table.put(item, condition, {":seen": self._version})
        return type(write)(accepted=True, item=item) if write.accepted else write

    def _swap(self, change: Callable[[Circuit], Circuit]) -> None:
        for _ in range(SWAPS_MAX):
            changed = change(self._seen)
            if changed == self._seen:
                return
            write = self._replace(changed)
            self._adopt(write.item)
            if write.accepted:
                return

    def _with_noted(self) -> Circuit:
        """The circuit as it is with the calls that are noted only here."""
        circuit, now = self._seen, self._clock.now()
        for account_key, tally in self._noted.items():
            circuit = circuit.after_calls(account_key, tally, now, self._rules)
        return circuit

    def _has_own_outage(self) -> bool:
        """Whether the calls of this process alone show that the host is down (rule 2a)."""
        run, rules = self._own_run, self._rules
        return len(run) >= rules.own_failures and len(set(run)) >= rules.own_accounts

    def _has_noted_failures(self) -> bool:
        return any(tally.failures for tally in self._noted.values())

    def _drop_what_is_no_news(self) -> None:
        """Successes are counted only around failures."""
        if not (self._has_noted_failures() or self._seen.at(self._clock.now(), self._rules).has_failures):
            self._noted.clear()

    def _adopt(self, item: Item | None) -> None:
        self._seen, self._version = _from_item(item), item["version"] if item else 0
        self._read_at_s = self._clock.monotonic_s()
        self._noted = {key: tally for key, tally in self._noted.items() if not self._seen.opened_to(key)}
        if self._seen.opened_at:
            self._own_run.clear()


def _opening(circuit: Circuit) -> tuple[datetime | None, bool]:
    return circuit.opened_at, circuit.suspect_only


def _to_item(host: str, circuit: Circuit, version: int) -> Item:
    return {
        "pk": PK,
        "sk": host,
        "version": version,
        "calls": circuit.calls,
        "failures": circuit.failures,
        "calls_before": circuit.calls_before,
        "failures_before": circuit.failures_before,
        "began_at": to_iso(circuit.began_at),
        "failing_since": to_iso(circuit.failing_since),
        "suspect": circuit.suspect,
        "suspect_run": circuit.run,
        "failed_at": to_iso(circuit.failed_at),
        "opened_at": to_iso(circuit.opened_at),
        "alone": circuit.suspect_only,
        "prober": circuit.prober,
        "probe_until": to_iso(circuit.probe_until),
    }


def _from_item(item: Item | None) -> Circuit:
    if item is None:
        return Circuit()
    # Items written before 2026-11-28 have no window: their failures are not part of a rate.
    has_window = "calls" in item
    return Circuit(
        calls=item.get("calls", 0),
        failures=item["failures"] if has_window else 0,
        calls_before=item.get("calls_before", 0),
        failures_before=item.get("failures_before", 0),
        began_at=from_iso(item.get("began_at")),
        failing_since=from_iso(item.get("failing_since")),
        suspect=item.get("suspect"),
        run=item.get("suspect_run", 0),
        failed_at=from_iso(item["failed_at"]) if has_window else None,
        opened_at=from_iso(item["opened_at"]),
        suspect_only=item.get("alone", False),
        prober=item["prober"],
        probe_until=from_iso(item["probe_until"]),
    )
