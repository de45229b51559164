"""
The circuit breaker of one host, shared by all processes through one item.

The rules are in circuit.py; this file only carries their value to and from DynamoDB, by compare-and-swap:

- While calls succeed it costs one read every `fresh_s` and process, and no write. A failure, the first
  success after it, electing a prober and closing are one write each.
- An opening is seen within `fresh_s` by those whose calls succeed, by the others before their next call. So
  an outage costs `failures_max` calls (one more if they were all one account's), those in flight when the
  last of them fails, and at most one more for each process that looked just before.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from bg_ingest.providers.http.circuit import Circuit, CircuitRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PK = "app#breaker"
# A write is refused only if another was accepted, and each of those is a failure or a transition, so the
# circuit is open after a few rounds and then there is nothing more to write. Beyond this many rounds one
# more failure among so many is not worth counting.
SWAPS_MAX = 20


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether a call may be made; handed back with its outcome."""

    allowed: bool
    wait_s: float = 0.0  # When refused: how long asking again is pointless.
    prober: str | None = None  # This call decides whether the circuit closes.
    account_key: str | None = None  # A pseudonym of the account it is made for; None: nobody's.


class SharedBreaker:
    """This process's view of the breaker of one host; thread-safe."""

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

    def admit(self, account_key: str | None = None) -> Permit:
        """May this call be made?"""
        now = self._clock.now()
        with self._lock:
            self._refresh(account_key)
            if self._seen.opened_to(account_key) is None:
                return Permit(allowed=True, account_key=account_key)
            prober = uuid.uuid4().hex
            self._swap(lambda circuit: circuit.with_prober(prober, account_key, now, self._rules))
            if self._seen.opened_to(account_key) is None:
                return Permit(allowed=True, account_key=account_key)  # Another process has just closed it.
            if self._seen.prober == prober:
                return Permit(allowed=True, prober=prober, account_key=account_key)
            until = self._seen.refused_until(account_key, now, self._rules) or now
            return Permit(allowed=False, wait_s=(until - now).total_seconds())

    def succeeded(self, admission: Permit) -> None:
        """The call was answered."""
        with self._lock:
            self._swap(lambda circuit: circuit.after_success(admission.prober, admission.account_key))

    def failed(self, admission: Permit) -> None:
        """The call was not answered, or answered with the host's own failure."""
        now, prober, account_key = self._clock.now(), admission.prober, admission.account_key
        with self._lock:
            self._swap(lambda circuit: circuit.after_failure(prober, account_key, now, self._rules))

    def _refresh(self, account_key: str | None) -> None:
        # Once something has failed every call is preceded by a look: others may just have opened the circuit.
        alert = self._seen.failures > 0 and self._seen.opened_to(account_key) is None
        fresh_s = 0.0 if alert else self._fresh_s
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


def _to_item(host: str, circuit: Circuit, version: int) -> Item:
    return {
        "pk": PK,
        "sk": host,
        "version": version,
        "failures": circuit.failures,
        "failed_at": _text(circuit.failed_at),
        "opened_at": _text(circuit.opened_at),
        "prober": circuit.prober,
        "probe_until": _text(circuit.probe_until),
        "suspect": circuit.suspect,
        "alone": circuit.alone,
    }


def _from_item(item: Item | None) -> Circuit:
    if item is None:
        return Circuit()
    return Circuit(
        failures=item["failures"],
        failed_at=_instant(item["failed_at"]),
        opened_at=_instant(item["opened_at"]),
        prober=item["prober"],
        probe_until=_instant(item["probe_until"]),
        # Items of before 2026-11-28 do not say whose calls failed: then it is the host's trouble, as it was.
        suspect=item.get("suspect"),
        alone=item.get("alone", False),
    )


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
