"""The outcomes of the faults as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADINGS = (
    "fault",
    "effect",
    "lasted",
    "until full recovery",
    "calls to Dexcom during the fault",
    "dead letters",
    "leases held",
    "users with flaws",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault, and the state after it."""

    fault: str
    what: str | None  # None: the fault had no effect, so the run shows nothing.
    lasted_s: float
    recovered_after_s: float | None  # None: no full recovery before the timeout.
    calls: int
    dead: int
    held: int
    flawed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether the stack has recovered completely."""
        is_over = self.what is not None and self.recovered_after_s is not None
        return is_over and not (self.dead or self.held or self.flawed)

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        recovered = "never" if self.recovered_after_s is None else f"{self.recovered_after_s:.0f} s"
        counts = (self.calls, self.dead, self.held, len(self.flawed))
        what = self.what or "no effect"
        return (self.fault, what, f"{self.lasted_s:.0f} s", recovered, *(f"{count:,}" for count in counts))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of all outcomes."""
    rows = (_HEADINGS, ("---", "---", *["---:"] * (len(_HEADINGS) - 2)), *(it.cells() for it in outcomes))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def report(
    outcomes: Sequence[Outcome],
    *,
    dexcom: int,
    both: int,
    own_sites: int,
    readings: int,
    took_s: float,
    visibility_s: int,
    polls_concurrency: int,
    lacking: str | None,
) -> str:
    """Return the text of FAULTS.md."""
    where = "\n".join(f"- {name}: {value}" for name, value in machine.described().items())
    missed = f"\nNot shown: RabbitMQ gone; {lacking}.\n" if lacking else ""
    return f"""\
# Faults on the deployed stack

Written by `make faults`: the template on the emulated AWS of this machine, roles enforced, one fault after
the other, {took_s / 60:.0f} minutes. {dexcom} people have Dexcom, and {both} of them also a Nightscout that
relays the same sensor. {own_sites} people have only a Nightscout. Each source is polled every minute.

Full recovery means, for each user: the API serves the providers' readings, each measurement once
({readings:,} at the end), and no deleted one. The completeness of the days agrees. Each accepted sync has
succeeded. RabbitMQ got every reading. The queues are empty.

{where}

{table(outcomes)}
{missed}
Most of the time until full recovery is intended. The message of a killed worker becomes visible again after
{visibility_s} s, just beyond the lease (720 s as deployed). An order that fails because of an internal
fault, as under throttling, is hidden for up to a minute, the second time for up to four.

At most {polls_concurrency} processes carry out polls (10 as deployed). On Lambda each has its own share of a
processor; here all processes share those of this machine.
"""
