"""What became of the faults, as a table for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADINGS = (
    "fault",
    "what it did",
    "lasted",
    "until everybody was whole",
    "calls to the provider meanwhile",
    "dead letters",
    "leases held",
    "people not whole",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault, and how everything stood afterwards."""

    fault: str
    what: str | None  # None: it did not strike, so that nothing is shown.
    lasted_s: float
    whole_after_s: float | None  # None: not within the time there was.
    calls: int
    dead: int
    held: int
    flawed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left of it."""
        is_over = self.what is not None and self.whole_after_s is not None
        return is_over and not (self.dead or self.held or self.flawed)

    def cells(self) -> tuple[str, ...]:
        """Its line of the table."""
        whole = "never" if self.whole_after_s is None else f"{self.whole_after_s:.0f} s"
        counts = (self.calls, self.dead, self.held, len(self.flawed))
        what = self.what or "did not strike"
        return (self.fault, what, f"{self.lasted_s:.0f} s", whole, *(f"{count:,}" for count in counts))


def table(outcomes: Sequence[Outcome]) -> str:
    """All of them."""
    rows = (_HEADINGS, ("---", "---", *["---:"] * (len(_HEADINGS) - 2)), *(it.cells() for it in outcomes))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def report(
    outcomes: Sequence[Outcome],
    *,
    people: int,
    readings: int,
    took_s: float,
    visibility_s: int,
    lacking: str | None,
) -> str:
    """The whole file."""
    where = "\n".join(f"- {name}: {value}" for name, value in machine.described().items())
    missed = f"\nNot shown: RabbitMQ gone; {lacking}.\n" if lacking else ""
    return f"""\
# Faults on the deployed stack

Written by `make faults`: the template on the emulated AWS of this machine, roles enforced, {people} people
polled every minute, one fault after the other, {took_s / 60:.0f} minutes. Whole means, for each of them: the
API serves what the provider has, every reading once ({readings:,} in the end); no day's completeness denies
one; each sync that was promised has succeeded; RabbitMQ was told of everything. The queue is empty then.

{where}

{table(outcomes)}
{missed}
Most of the seconds until everybody was whole are meant: what a killed worker had taken is shown again after
{visibility_s} s, just beyond the lease (720 s as deployed), and what failed by our own fault, as under
throttling, is hidden for up to a minute, the second time for up to four.
"""
