"""What a sync hands back to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.sync.job import Counts, Job, Order

# How these failures are called in a job; what a caller is told depends on the first two.
NOT_CONNECTED = "not-connected"
REAUTHORIZATION_NEEDED = "reauthorization-needed"
ACCOUNT_CHANGED = "account-changed"
SYNC_RUNNING = "sync-running"  # Another one was at it, every time.
UNREADABLE = "unreadable"
INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Report:
    """
    What one sync did; the caller decides what that means for its own caller.

    `job` is the finished job, or the one that is running already when `busy`. `again_in_s` says when the
    order is worth another try; None when it is not. `rest` is what did not fit into the time there was.
    `counts` is what this run did, where the job's are of all its runs; None without a run.
    """

    job: Job | None
    busy: bool = False
    again_in_s: float | None = None
    rest: Order | None = None
    newest_at: datetime | None = None  # Of everything that is stored now.
    counts: Counts | None = None

    @property
    def unfinished(self) -> bool:
        """Whether there is more to do than fitted."""
        return self.rest is not None

    def facts(self) -> dict[str, Any]:
        """What a log line may say about it."""
        if self.job is None or self.counts is None:
            return {"busy": self.busy}
        counts, failure = self.job.counts, self.job.failure
        return {
            "status": self.job.status,
            "kind": self.job.order.kind,
            "trigger": self.job.order.trigger,
            "fetched": counts.fetched,
            "stored": counts.stored,
            "revised": counts.revised,
            "duplicates": counts.duplicates,
            "invalid": sum(count for _, count in counts.invalid),
            "error": failure.type if failure else None,
        }
