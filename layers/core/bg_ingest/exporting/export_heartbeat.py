"""Keeping an export claimed, and its message hidden, while a process works on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.clock import Clock
    from bg_ingest.exporting.export_jobs import ClaimedExport, ExportJobs

RENEW_AFTER_S = 15.0
# Longer than a claim lasts: if the process is killed, then the message finds the export without a claim.
HIDDEN_S = 75


@dataclass(slots=True)
class Heartbeat:
    """
    What a process that works on an export repeats every RENEW_AFTER_S, between two months.

        claim  renew  renew    killed            claim expires   delivered again
        --|------|------|--------x----------------------|--------------|----------> time
                        |<------------ CLAIM_S -------->|
                        |<----------------- HIDDEN_S ----------------->|
    """

    jobs: ExportJobs
    hide: Callable[[int], None]
    clock: Clock
    due_s: float = 0.0

    def start(self) -> None:
        """Shorten the time for which the queue hides the message: it is the longest that a slice can take."""
        self.hide(HIDDEN_S)
        self.due_s = self.clock.monotonic_s() + RENEW_AFTER_S

    def beat(self, claimed: ClaimedExport) -> None:
        """Renew the claim, and then hide the message, if it is time; raises ClaimLost."""
        if self.clock.monotonic_s() >= self.due_s:
            self.jobs.renew(claimed)
            self.start()

    def count(self, claimed: ClaimedExport, items: Iterable[object]) -> int:
        """How many items there are, which may take long to read; raises ClaimLost."""
        number = 0
        for _ in items:
            number += 1
            self.beat(claimed)
        return number
