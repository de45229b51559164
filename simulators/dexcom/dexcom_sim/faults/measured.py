"""Faults of what was measured and when: drift, copies, revisions, odd values, disorder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dexcom_sim.faults.changes import Change, Shown, chosen
from dexcom_sim.instants import offset_s, written_local, written_utc
from dexcom_sim.noise import digest, draw
from dexcom_sim.records import value_and_status
from dexcom_sim.traces import DAY_S

if TYPE_CHECKING:
    from dexcom_sim.faults.aim import Posted

_DISORDER, _ODD = 2, 3


class ClockDrift(Change):
    """The device's clock is wrong from now on; ahead of the truth, its readings lie in the future."""

    kind: Literal["clock_drift"] = "clock_drift"
    drift_s: int = Field(ge=-7 * DAY_S, le=7 * DAY_S)

    @property
    def reach_s(self) -> int:
        """It moves records by the drift."""
        return abs(self.drift_s)

    def since_s(self, posted: Posted) -> float:
        """What was measured before it was ordered was measured by a clock that was right."""
        return super().since_s(posted) if self.since else posted.at_s

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """Both times move; the transmitter's ticks do not."""
        at_s = shown.at_s + self.drift_s
        moved = Shown(at_s, shown.record)
        return moved.saying(systemTime=written_utc(at_s), displayTime=_displayed(shown, at_s, posted))


class Duplicates(Change):
    """The same measurements also come from a second device, seconds apart and under another record id."""

    kind: Literal["duplicates"] = "duplicates"
    apart_s: int = Field(7, ge=-120, le=120)
    device: str = "receiver"

    @property
    def reach_s(self) -> int:
        """The copy is dated that far away."""
        return abs(self.apart_s)

    def applied(self, listed: list[Shown], posted: Posted) -> list[Shown]:
        """Every copy stands beside its original."""
        both: list[Shown] = []
        for shown in listed:
            both.append(shown)
            if self.picks(shown, posted):
                both.append(self._copy(shown, posted))
        return both

    def _copy(self, shown: Shown, posted: Posted) -> Shown:
        at_s = shown.at_s + self.apart_s
        return Shown(at_s, shown.record).saying(
            recordId=_other_id(shown, posted),
            systemTime=written_utc(at_s),
            displayTime=_displayed(shown, at_s, posted)[:19],
            displayDevice=self.device,
            displayApp=None,
        )


class RevisedValues(Change):
    """What was read before comes back with other values; unless told otherwise, that of the last day."""

    kind: Literal["revised_values"] = "revised_values"
    by_mg_dl: int = Field(7, ge=-300, le=300)
    new_record_ids: bool = False

    def since_s(self, posted: Posted) -> float:
        """A day before it was ordered."""
        return super().since_s(posted) if self.since else posted.at_s - DAY_S

    def before_s(self, posted: Posted) -> float:
        """What is measured later is new, not revised."""
        return super().before_s(posted) if self.before else posted.at_s

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """A value that was beyond the sensor's range starts from its edge."""
        if not isinstance(shown.record["value"], int):
            return shown
        value, status = value_and_status(shown.record["value"] + self.by_mg_dl)
        revised = shown.saying(value=value, status=status)
        return revised.saying(recordId=_other_id(shown, posted)) if self.new_record_ids else revised


class OddValues(Change):
    """Values that no sensor should report."""

    kind: Literal["odd_values"] = "odd_values"
    values: tuple[int, ...] = Field((0, 12, 38, 402, 600), min_length=1)

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """One of the values, always the same for the same record."""
        return shown.saying(value=self.values[chosen(posted, shown.at_s, _ODD, len(self.values))])


class Unordered(Change):
    """The list is in no order."""

    kind: Literal["unordered"] = "unordered"

    def applied(self, listed: list[Shown], posted: Posted) -> list[Shown]:
        """The same disorder for the same records."""
        return sorted(listed, key=lambda shown: draw(posted.seed, _DISORDER, shown.at_s))


def _displayed(shown: Shown, at_s: int, posted: Posted) -> str:
    assert posted.person is not None  # noqa: S101 - records always belong to someone.
    text = written_local(at_s, offset_s(posted.person.zone, at_s))
    return text if len(shown.record["displayTime"]) > len("2026-02-06T09:12:35") else text[:19]


def _other_id(shown: Shown, posted: Posted) -> str:
    text = digest("again", posted.seed, shown.record["recordId"]).hex()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-a{text[17:20]}-{text[20:32]}"
