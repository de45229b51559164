"""Mutations of the engine, and a run that shows that the simulation detects each: `make breaks`.

Every break is one change of the real code, made in a copy. A failing seed has detected it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PACKAGE = Path("layers/core/bg_ingest")
SEEDS_MAX = 400  # Two fifths of the seeds that CI runs.


@dataclass(frozen=True, slots=True)
class Break:
    """One possible mistake in the engine."""

    name: str
    file: str
    right: str
    wrong: str


BREAKS = (
    Break(
        "a lease is taken from a live holder",
        "sync/state.py",
        'f"{_KNOWN} AND {_FREE}",\n        )\n        if write.item is None:',
        "_KNOWN,\n        )\n        if write.item is None:",
    ),
    Break(
        "the history's cursor moves without naming the fence",
        "sync/state.py",
        'return self._update(lease, "SET backfill_reached = :reached, lease_until = :until", values)',
        'change = "SET backfill_reached = :reached, lease_until = :until"\n'
        "        return self.table.update(lease.state.user_id, SK, change, values, _KNOWN)",
    ),
    Break(
        "the lease is released without naming the fence",
        "sync/state.py",
        'return self._update(lease, f"SET {outcome} REMOVE {removed}", values).accepted',
        'change = f"SET {outcome} REMOVE {removed}"\n'
        "        return self.table.update(lease.state.user_id, SK, change, values, _KNOWN).accepted",
    ),
    Break(
        "connecting again does not end what is running",
        "sync/state.py",
        "fence = if_not_exists(fence, :first) + :one",
        "fence = if_not_exists(fence, :first)",
    ),
    Break(
        "the history's cursor moves before the data is stored",
        "sync/run.py",
        """            self._store_history(window)
            if not self.stores.states.advance(self.lease, window[0]):
                raise LeaseLost
""",
        """            if not self.stores.states.advance(self.lease, window[0]):
                raise LeaseLost
            self._store_history(window)
""",
    ),
    Break(
        "a lost lease is reported as success",
        "sync/sync_user.py",
        "    except LeaseLost:\n        return _busy(run.order, None, run.stores, run.clock)\n",
        "    except LeaseLost:\n        rest = None\n",
    ),
    Break(
        "an hour is written without checking its version",
        "readings/stored/hour_items.py",
        "unchanged if hour.version else never_written",
        '"attribute_exists(pk)" if hour.version else never_written',
    ),
    Break(
        "the rest of an order that ran out of time is not sent",
        "sync/worker.py",
        "        jobs_queue.send([replace(result.rest, deferrals=0, not_before=None)])",
        "        return",
    ),
    Break(
        "an order that finds the lease taken is dropped",
        "sync/sync_user.py",
        "    tries_left = order.may_defer(called=False)",
        "    tries_left = False",
    ),
    Break(
        "an order the provider fails is dropped",
        "sync/sync_user.py",
        "    if not run.order.may_defer(called=called):",
        "    if called or True:",
    ),
    Break(
        "a duplicate message rewrites a finished job",
        "sync/jobs.py",
        'f"{unknown} OR {not_over}"',
        'f"{unknown} OR attribute_exists(pk)"',
    ),
    Break(
        "a minute counts as served when it is claimed",
        "sync/dispatch.py",
        "    # A dictionary keeps the order",
        '    table.update(PK, schedule.name, "SET served = :period", {":period": period})\n'
        "    # A dictionary keeps the order",
    ),
    Break(
        "polls start at the newest reading",
        "sync/windows.py",
        "        start = min(start, instants[-1] - OVERLAP)",
        "        start = instants[-1]",
    ),
    Break(
        "a reconciliation does not ask what was uploaded",
        "sync/run.py",
        "return self.source.uploaded_since(self.order.user_id, since), None",
        "return None, None",
    ),
)


def first_caught(broken: Break, into: Path) -> str:
    """Return the first failing seed and its message, from a run on a copy in `into`."""
    shutil.copytree(CHECKOUT / PACKAGE, into / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    file = into / PACKAGE / broken.file
    file.write_text(file.read_text().replace(broken.right, broken.wrong))
    ran = subprocess.run(  # noqa: S603 - a module of this project.
        [sys.executable, "-m", "tests.simulation", "0", str(SEEDS_MAX - 1)],
        cwd=CHECKOUT,
        # The copy comes before the checkout in which the environment has installed the package.
        env={"PYTHONPATH": f"{into / 'layers/core'}:{CHECKOUT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ", ".join(ran.stderr.strip().splitlines()[-2:]) if ran.returncode else "nothing"


def main() -> int:
    """Try all breaks and return how many were not detected."""
    missed = 0
    for broken in BREAKS:
        with tempfile.TemporaryDirectory() as folder:
            said = first_caught(broken, Path(folder))
        caught = "AssertionError" in said  # Anything else would be the break's own mistake.
        missed += not caught
        print(f"{'caught' if caught else 'MISSED'}  {broken.name}: {said}", flush=True)  # noqa: T201 - to a person.
    return missed


if __name__ == "__main__":
    sys.exit(main())
