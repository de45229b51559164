"""The chart of the last 24 hours and the names of its gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.facades.page.charts.day_chart import GapName, day_sentence, named_gaps
from bg_ingest.facades.page.wording import Wording
from tests.unit.facades.page.test_flow_sentence import CONNECTED, NOW

if TYPE_CHECKING:
    from bg_ingest.facades.page.flow_sentence import Situation

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def _trace(*without: tuple[float, float]) -> list[tuple[datetime, int]]:
    """A reading each five minutes, except between these ages in hours."""
    ages = [n * 5 * MINUTE for n in range(287, -1, -1)]
    return [
        (NOW - age, 100) for age in ages if not any(end * HOUR < age < start * HOUR for start, end in without)
    ]


def _names(trace: list[tuple[datetime, int]], *situations: Situation) -> list[GapName]:
    return [gap.name for gap in named_gaps(trace, situations or [CONNECTED], NOW)]


def test_gaps_are_named_by_their_age() -> None:
    """The newest is late, a young one is asked for at each poll, an old one was never measured."""
    assert _names(_trace((1, -1), (4, 3), (14, 12))) == [GapName.NEVER, GapName.ASKED, GapName.LATE]


def test_a_gap_that_no_poll_asked_for_is_not_called_unmeasured() -> None:
    """During an outage on our side no poll has asked for the old gap yet."""
    assert CONNECTED.syncs
    late = replace(CONNECTED, syncs=replace(CONNECTED.syncs, last_success_at=NOW - 15 * HOUR))

    assert _names(_trace((14, 12)), late) == [GapName.ASKED]
    assert _names(_trace((14, 12)), CONNECTED, late) == [GapName.ASKED]


def test_a_source_without_access_may_have_the_readings() -> None:
    """After a new login there, its gaps are asked for; nothing says that they were never measured."""
    assert CONNECTED.syncs
    refused = replace(
        CONNECTED,
        connection=ConnectionState.NEEDS_REAUTH,
        syncs=replace(CONNECTED.syncs, last_success_at=NOW - 15 * HOUR),
    )

    assert _names(_trace((14, 12), (4, 3)), CONNECTED, refused) == [GapName.NOT_FETCHED, GapName.ASKED]


def test_without_connection_nothing_is_fetched() -> None:
    """The page does not promise what no poll can bring."""
    stopped = replace(CONNECTED, connection=ConnectionState.DISCONNECTED)

    assert _names(_trace((6, 5), (1, -1)), stopped) == [GapName.NOT_FETCHED, GapName.NOT_FETCHED]
    assert _names(_trace((14, 12), (1, -1)), stopped, CONNECTED) == [GapName.NEVER, GapName.LATE]


def test_a_reading_that_is_not_due_is_not_missing() -> None:
    """A newest reading of seven minutes ago is not late."""
    trace = [(at - 2 * MINUTE, mg_dl) for at, mg_dl in _trace()]

    assert _names(trace) == []


@given(st.lists(st.integers(0, 1439), unique=True), st.sampled_from(["mg/dL", "mmol/L"]))
def test_sentence_counts_every_reading(minutes: list[int], unit: str) -> None:
    """The sentence names the number of readings, with any gaps."""
    trace = [(NOW - minute * MINUTE, 100) for minute in sorted(minutes, reverse=True)]
    wording = Wording(NOW, UTC, unit)  # type: ignore[arg-type] # One of the two.

    sentence = day_sentence(trace, named_gaps(trace, [CONNECTED], NOW), wording)

    assert sentence.startswith(
        f"{len(minutes):,}".replace(",", "\N{NO-BREAK SPACE}") if minutes else "No reading"
    )
