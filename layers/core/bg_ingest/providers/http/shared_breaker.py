"""
Circuit breaker of one host that all processes share through one DynamoDB item.

The transitions are in circuit.py. This module reads the circuit from the item, and writes a changed circuit
on the condition that no other process has written since (compare and swap).

- While calls succeed, each process reads once per `fresh_s` and writes nothing. A failure, the first success
  after a failure, the start of a probe and its outcome are one write each.
- A process whose calls succeed sees an opening within `fresh_s`. A process that knows of a failure reads
  before each call. An outage therefore costs `failures_max` calls, and one more if these were all for one
  account. To these come the calls under way when the circuit opens, and at most one call per process that
  read the item just before.
"""

from __future__ import annotations

import math
import uuid
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.providers.http.circuit import Circuit, CircuitRules, Permit
from bg_ingest.utc import from_iso, to_iso

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PK = "app#breaker"
# A write is rejected only if another process wrote, and each write is a failure or a transition. After a few
# rounds the circuit is open and nothing is left to write. A failure that loses this many rounds is dropped.
SWAPS_MAX = 20
# Outcomes that wait for the table. Later ones are dropped: the circuit would have opened by then.
NOTED_MAX = 100


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
        self._read_at_s: float | None = None
        self._noted: list[Callable[[Circuit], Circuit]] = []
        self._retry_s = 10.0
        self._request_from_s = -math.inf  # No request to the table before this time.

    def permit(self, account_key: str | None = None) -> Permit:
        """Whether a call for this account can be made now."""
        now = self._clock.now()
        with self._lock:
            self._try(partial(self._catch_up, account_key))
            if self._seen.opened_to(account_key) is None:
                return Permit(allowed=True, account_key=account_key)
            prober = uuid.uuid4().hex
            probing = partial(_with_prober, prober, account_key, now, self._rules)
            if not self._try(lambda: self._swap(probing)):
                return Permit(allowed=False, wait_s=self._retry_s)
            if self._seen.opened_to(account_key) is None:  # Another process has just closed it.
                return Permit(allowed=True, account_key=account_key)
            if self._seen.prober == prober:
                return Permit(allowed=True, prober=prober, account_key=account_key)
            until = self._seen.refused_until(account_key, now, self._rules) or now
            return Permit(allowed=False, wait_s=(until - now).total_seconds())

    def is_open(self) -> bool:
        """Whether calls are refused now; unlike `permit`, this starts no probe."""
        with self._lock:
            self._refresh(None)
            return self._seen.opened_to(None) is not None

    def succeeded(self, permit: Permit) -> None:
        """Note in memory that the host answered the call."""
        with self._lock:
            self._note(lambda circuit: circuit.after_success(permit.prober, permit.account_key))

    def failed(self, permit: Permit) -> None:
        """Note in memory that the host did not answer the call, or answered with a failure of its own."""
        now, prober, account_key = self._clock.now(), permit.prober, permit.account_key
        with self._lock:
            self._note(lambda circuit: circuit.after_failure(prober, account_key, now, self._rules))

    def share(self) -> None:
        """Write the noted outcomes; never raises."""
        with self._lock:
            self._try(self._write_noted)

    def _note(self, change: Callable[[Circuit], Circuit]) -> None:
        if len(self._noted) < NOTED_MAX and (self._noted or change(self._seen) != self._seen):
            self._noted.append(change)

    def _write_noted(self) -> None:
        while self._noted:
            self._swap(self._noted[0])
            del self._noted[0]

    def _catch_up(self, account_key: str | None) -> None:
        self._write_noted()
        self._refresh(account_key)

    def _try(self, request: Callable[[], None]) -> bool:
        """Whether the table answered. After a failed request the last known circuit applies for a while."""
        if self._clock.monotonic_s() < self._request_from_s:
            return False
        try:
            request()
        except (BotoCoreError, ClientError):
            self._request_from_s = self._clock.monotonic_s() + self._retry_s
            return False
        return True

    def _refresh(self, account_key: str | None) -> None:
        # After a failure every call is preceded by a read: another process may just have opened the circuit.
        failing = self._seen.failures > 0 and self._seen.opened_to(account_key) is None
        fresh_s = 0.0 if failing else self._fresh_s
        if self._read_at_s is None or self._clock.monotonic_s() - self._read_at_s >= fresh_s:
            self._adopt(self._table.get(PK, self._host))

    def _swap(self, change: Callable[[Circuit], Circuit]) -> None:
        for _ in range(SWAPS_MAX):
            changed = change(self._seen)
            if changed == self._seen:
                return
            unseen = "attribute_not_exists(pk)"
            unchanged = "version = :seen"
            write = self._table.put(
                _to_item(self._host, changed, self._version + 1),
                f"{unchanged} OR {unseen}" if self._version == 0 else unchanged,
                {":seen": self._version},
            )
            if write.accepted:
                self._see(changed, self._version + 1)
                return
            self._adopt(write.item)

    def _adopt(self, item: Item | None) -> None:
        self._see(_from_item(item), item["version"] if item else 0)

    def _see(self, circuit: Circuit, version: int) -> None:
        self._seen, self._version, self._read_at_s = circuit, version, self._clock.monotonic_s()


def _with_prober(
    prober: str, account_key: str | None, now: datetime, rules: CircuitRules, circuit: Circuit
) -> Circuit:
    return circuit.with_prober(prober, account_key, now, rules)


def _to_item(host: str, circuit: Circuit, version: int) -> Item:
    return {
        "pk": PK,
        "sk": host,
        "version": version,
        "failures": circuit.failures,
        "failed_at": to_iso(circuit.failed_at),
        "opened_at": to_iso(circuit.opened_at),
        "prober": circuit.prober,
        "probe_until": to_iso(circuit.probe_until),
        "suspect": circuit.suspect,
        "alone": circuit.suspect_only,
    }


def _from_item(item: Item | None) -> Circuit:
    if item is None:
        return Circuit()
    return Circuit(
        failures=item["failures"],
        failed_at=from_iso(item["failed_at"]),
        opened_at=from_iso(item["opened_at"]),
        prober=item["prober"],
        probe_until=from_iso(item["probe_until"]),
        # Items written before 2026-11-28 do not name the account. Their failures count for all accounts.
        suspect=item.get("suspect"),
        suspect_only=item.get("alone", False),
    )
