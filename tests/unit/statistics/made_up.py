"""Series as sensors might send them: days, gaps, jitter, travel, two sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from bg_ingest.statistics.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.statistics.by_definition import Reading

# Europe loses an hour on 29 March 2026 and gets one back on 25 October, both at 01:00 UTC.
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
SPRING_CHANGE = datetime(2026, 3, 29, 1, tzinfo=UTC)
AUTUMN_CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC)
LONG_AFTER = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
_EDGES = (39, 40, 53, 54, 63, 69, 70, 112, 113, 140, 141, 180, 181, 250, 251, 400, 401)


@dataclass(frozen=True)
class Offsets:
    """The offset of a person, which changes at some instants."""

    changes: tuple[tuple[datetime, int | None], ...]

    def at(self, instant: datetime) -> int | None:
        """The one that holds at an instant; in front of the first change it is the first."""
        held = self.changes[0][1]
        for changed_at, offset in self.changes:
            if changed_at <= instant:
                held = offset
        return held


UTC_ONLY = Offsets(((datetime(2026, 1, 1, tzinfo=UTC), 0),))
BERLIN = Offsets(
    ((datetime(2026, 1, 1, tzinfo=UTC), 60), (SPRING_CHANGE, 120), (AUTUMN_CHANGE, 60)),
)


def series_of(readings: Sequence[Reading]) -> Series:
    """The columns of readings."""
    return Series([r[0] for r in readings], [r[1] for r in readings], [r[2] for r in readings])


def every_five_minutes(
    start: datetime, values: Sequence[int], offsets: Offsets = UTC_ONLY, *, every_s: int = 300
) -> list[Reading]:
    """One reading after the other."""
    instants = [start + timedelta(seconds=every_s * n) for n in range(len(values))]
    return [
        (int(instant.timestamp()), value, offsets.at(instant))
        for instant, value in zip(instants, values, strict=True)
    ]


def full_days(first: date, days: int, offsets: Offsets = UTC_ONLY, value: int = 110) -> list[Reading]:
    """A reading in every slot of some local days, and of no other."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - DAY
    around = every_five_minutes(start, [value] * (288 * (days + 2)), offsets)
    return [r for r in around if first <= local_date(r) < first + days * DAY]


def local_date(reading: Reading) -> date:
    """The date that the person's clock showed."""
    return datetime.fromtimestamp(reading[0] + 60 * (reading[2] or 0), UTC).date()


def values() -> st.SearchStrategy[int]:
    """Edges of bands, codes of sensors, and all between."""
    return st.one_of(st.sampled_from(_EDGES), st.integers(39, 401), st.integers(13, 1000))


@st.composite
def stretches(draw: st.DrawFn) -> list[int]:
    """Values that stay in one place for a while, as glucose does."""
    runs = draw(st.lists(st.tuples(values(), st.integers(1, 30)), max_size=25))
    return [value for value, length in runs for _ in range(length)]


@st.composite
def travels(draw: st.DrawFn) -> Offsets:
    """At home, over a change of the clocks, or east and west across the world; an unknown offset at times."""
    offset = st.one_of(st.none(), st.sampled_from([-720, -480, -420, -210, 0, 60, 120, 345, 840]))
    begin = datetime(2026, 3, 20, tzinfo=UTC)
    moves = draw(st.lists(st.tuples(st.integers(0, 20 * 24 * 12), offset), min_size=1, max_size=4))
    wandering = Offsets(
        tuple(sorted(((begin + timedelta(minutes=5 * at), held) for at, held in moves), key=lambda m: m[0]))
    )
    return draw(st.sampled_from([UTC_ONLY, BERLIN, wandering, wandering]))


@st.composite
def sources(draw: st.DrawFn, offsets: Offsets) -> list[Reading]:
    """The readings of one sensor around the end of March: jitter, and gaps of all lengths."""
    start = datetime(2026, 3, 26, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 4 * 86_400)))
    gap_s = st.sampled_from([600, 900, 2_400, 2_700, 3_000, 20_000, 86_400, 200_000])
    instant, readings = start, list[Any]()
    for _ in range(draw(st.integers(0, 4))):
        jitter = draw(st.sampled_from([(0,), (0, 1, -1), (0, 150, 0, -150), (-120, 40, 99, 7)]))
        for place, value in enumerate(draw(stretches())):
            at = instant + timedelta(seconds=300 * place + jitter[place % len(jitter)])
            readings.append((int(at.timestamp()), value, offsets.at(at)))
        if readings:
            instant = datetime.fromtimestamp(readings[-1][0] + draw(gap_s), UTC)
    return readings


@st.composite
def readings_of_a_person(draw: st.DrawFn) -> list[Reading]:
    """Series as they may be stored: empty, one reading, two, one value, or two sources at once."""
    offsets = draw(travels())
    kind = draw(st.sampled_from(["none", "one", "two", "equal", "source", "source", "source", "sources"]))
    if kind == "none":
        return []
    if kind in ("one", "two"):
        start = datetime(2026, 3, 28, 23, tzinfo=UTC)
        count = 1 if kind == "one" else 2
        few = draw(st.lists(values(), min_size=count, max_size=count))
        return every_five_minutes(start, few, offsets, every_s=draw(st.sampled_from([60, 300, 3600, 86_400])))
    found = draw(sources(offsets))
    if kind == "equal":
        return [(at, 110, offset) for at, _, offset in found]
    if kind == "sources":
        found = sorted(found + draw(sources(offsets)), key=lambda reading: reading[0])
    return found
