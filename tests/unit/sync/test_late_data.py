"""Data that is late in every way a provider is late, and what a plain watermark would make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.sync.job import Kind
from tests.fakes import NOON
from tests.simulation.provider import DAY, HOUR, MINUTE, Known
from tests.unit.sync.stage import Stage

if TYPE_CHECKING:
    from datetime import timedelta

_SLOTS = [NOON - 22 * DAY + number * 5 * MINUTE for number in range(24 * 12 * 24)]
_LAST_DAYS = _SLOTS[20 * 24 * 12 :]  # For what is late by hours.


def _three_hours_late() -> list[Known]:
    """Every upload is served three hours after it was made, as outside the United States."""
    return [Known(at, at + 3 * HOUR, 100, None) for at in _LAST_DAYS]


def _phone_out_of_reach() -> list[Known]:
    """Ten hours without a network; then the newest reading comes first, and the oldest an hour after it."""
    lost, found = NOON + 2 * HOUR, NOON + 12 * HOUR

    def uploaded(at: timedelta) -> timedelta:
        return (found - NOON) + (found - NOON - at) / 10

    return [
        Known(at, NOON + uploaded(at - NOON) if lost <= at < found else at, 100, None) for at in _LAST_DAYS
    ]


def _receiver_plugged_in() -> list[Known]:
    """Three weeks of a receiver are uploaded at once, while the phone goes on as ever."""
    plugged_in = NOON + 5 * HOUR
    return [
        Known(at, plugged_in if at < NOON and number % 2 else at, 100, None)
        for number, at in enumerate(_SLOTS)
    ]


def _polled_for_a_day(stage: Stage) -> None:
    for _ in range(24):
        stage.clock.advance(3_600)
        stage.sync()


@pytest.mark.parametrize("late", [_three_hours_late, _phone_out_of_reach])
def test_what_a_phone_delivers_late_is_found_by_polls_alone(late: object) -> None:
    """However late within a day and in whatever order, nothing the provider shows is missing."""
    stage = Stage(late())  # type: ignore[operator]  # Each makes the readings of one way to be late.
    stage.sync(stage.order(Kind.BACKFILL))
    _polled_for_a_day(stage)

    assert stage.stored()
    assert not stage.missing()


def test_what_a_receiver_delivers_after_weeks_is_found_by_the_reconciliation() -> None:
    """The provider says that something was uploaded, and from when on; polls alone would not look there."""
    stage = Stage(_receiver_plugged_in())
    stage.sync(stage.order(Kind.BACKFILL))
    _polled_for_a_day(stage)
    assert stage.missing()

    stage.sync(stage.order(Kind.RECONCILE))

    assert not stage.missing()
    days = list(stage.stores.days.between("ada", (NOON - 21 * DAY).date(), NOON.date()))
    assert (len(days), days[5].missing, days[5].received) == (22, 0, 288)
    assert days[5].late == 144  # The other half was there when they connected.


def test_a_history_says_how_complete_it_is() -> None:
    """Every day of it is on record when it was fetched."""
    stage = Stage(_receiver_plugged_in())
    stage.sync(stage.order(Kind.BACKFILL))

    days = list(stage.stores.days.between("ada", (NOON - 40 * DAY).date(), NOON.date()))
    assert len(days) == 31
    assert {(day.received, day.missing, day.late) for day in days[10:-1]} == {(144, 144, 0)}


@pytest.mark.parametrize("late", [_phone_out_of_reach, _receiver_plugged_in])
def test_a_watermark_would_lose_them(late: object) -> None:
    """Asking only for what is newer than the newest reading leaves holes that never fill."""
    stage = Stage(late())  # type: ignore[operator]  # Each makes the readings of one way to be late.
    for _ in range(24):
        stage.clock.advance(3_600)
        now = stage.clock.now()
        since = max(stage.stored(), default=NOON - 30 * DAY)
        fetched = stage.provider.readings("ada", since, now)
        stage.stores.logbook.save("ada", fetched.readings, now)

    assert stage.missing()
