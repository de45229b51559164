"""A Nightscout that this process serves, for a user of the deployed stack."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

from local.ports import HOST
from nightscout_sim.clock import to_ms
from nightscout_sim.faults import Fault
from nightscout_sim.server import SiteServer
from nightscout_sim.site import NightscoutSite
from tests.faults.deployed.flaws import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Each site fails in one of these ways.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 503},
    {"kind": "html"},
    {"kind": "truncated"},
    {"kind": "dropped"},
    {"kind": "redirect"},
    {"kind": "status", "status": 429, "retry_after_s": 5},
)
_UPLOADER = "uploader"
_WORDS = {"notComputable": "NOT COMPUTABLE", "rateOutOfRange": "RATE OUT OF RANGE", "none": "NONE"}
_TRENDS = {word: trend for trend, word in _WORDS.items()}
_VALUE_MAX = 300  # Edited values are higher by one and stay below the code for HIGH.


@dataclass(frozen=True)
class ServedSite:
    """One site: with a sensor of its own, or a relay of what another provider's sensor measured."""

    server: SiteServer
    token: str

    @property
    def address(self) -> str:
        """The address that the user types."""
        return f"http://{HOST}:{self.server.server_port}"

    @property
    def _site(self) -> NightscoutSite:
        return self.server.site

    def shown(self, start: datetime, end: datetime) -> list[Shown]:
        """The entries of `[start, end)`, oldest first, as readings."""
        with self._site.lock:
            self._site.entries.grow(self._site.now_ms())
            entries = reversed(self._site.entries.valid())
            found = [_shown(entry) for entry in entries]
        return [each for each in found if start <= each.at < end]

    def relay(self, measured: Iterable[Shown], late_s: int) -> None:
        """Upload these readings, each with an instant that is later by some seconds."""
        for each in measured:
            date = to_ms(each.at) + late_s * 1_000
            self._put({"date": date, "sgv": each.mg_dl, "direction": _direction(each.trend)})

    def add(self, at: datetime, mg_dl: int) -> None:
        """Upload one reading."""
        self._put({"date": to_ms(at), "sgv": mg_dl, "direction": "Flat"})

    def edit_and_delete(self, newest: int) -> None:
        """Change the value of one of the newest entries, and delete the one before it."""
        with self._site.lock:
            entries = [it for it in self._site.entries.valid() if it["sgv"] < _VALUE_MAX]
            edited, deleted = entries[newest : newest + 2]
            now_ms = self._site.now_ms()
            self._site.entries.edit(edited["_id"], {"sgv": edited["sgv"] + 1}, modified_ms=now_ms)
            self._site.entries.delete(deleted["_id"], modified_ms=now_ms)

    def fail(self, **fault: Any) -> None:
        """Let the calls fail, or be answered late, until `recover`."""
        with self._site.lock:
            self._site.faults.append(Fault.of(fault))

    def recover(self) -> None:
        """Remove all faults."""
        with self._site.lock:
            self._site.faults.clear()

    def calls(self) -> int:
        """How many calls the site got; it counts the newest thousand."""
        with self._site.lock:
            return len(self._site.calls)

    def _put(self, entry: dict[str, Any]) -> None:
        with self._site.lock:
            self._site.entries.put(entry | {"device": _UPLOADER}, modified_ms=self._site.now_ms())


@contextmanager
def serving(seed: int, *, history_days: int, sensor: bool) -> Iterator[ServedSite]:
    """Serve one site in a thread."""
    site = NightscoutSite(seed, history_days=history_days, sensor=sensor)
    with SiteServer((HOST, 0), site) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield ServedSite(server, site.tokens.add("reader", "readable"))
        finally:
            server.shutdown()
            thread.join()


def _shown(entry: dict[str, Any]) -> Shown:
    direction: str = entry["direction"]
    trend = _TRENDS.get(direction, direction[0].lower() + direction[1:])
    return Shown(datetime.fromtimestamp(entry["date"] // 1_000, UTC), entry["sgv"], trend)


def _direction(trend: str | None) -> str:
    return _WORDS.get(trend or "none", "") or f"{trend}"[0].upper() + f"{trend}"[1:]
