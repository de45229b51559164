from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.statistics.episodes import Episodes, episodes
from bg_ingest.statistics.series import between
from tests.unit.statistics.made_up import every_five_minutes, series_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.statistics.by_definition import Reading

START = datetime(2026, 3, 26, 6, tzinfo=UTC)
LOW, BACK = 60, 100
NONE = Episodes(0, None)


def low_episodes(readings: Sequence[Reading]) -> Episodes:
    """The episodes below 70 of readings of one day."""
    return episodes(between(series_of(readings), date(2026, 3, 26), date(2026, 3, 26)))["below_70"]


def drawn(picture: str) -> list[Reading]:
    """Five minutes for each sign: x is below 70, o is not, and a blank is a missing reading."""
    readings = every_five_minutes(START, [LOW if sign == "x" else BACK for sign in picture])
    return [reading for reading, sign in zip(readings, picture, strict=True) if sign != " "]


@pytest.mark.parametrize(
    ("picture", "minutes"),
    [
        ("oooooo", []),
        ("xxoooo", []),  # Ten minutes are too short.
        ("xxxooo", [15]),
        ("oxxxxooo", [20]),
        ("xxxoo", [15]),  # The readings end before it could close.
        ("xxx", [15]),  # Five minutes after the last reading.
        ("xx", []),
        ("xxxoxooo", [25]),  # One reading back, and one beyond: it continues.
        ("xxxooxooo", [30]),  # Two readings back are five minutes after the first one.
        ("xxxoooxxxooo", [15, 15]),  # Three are ten minutes: it is closed.
        ("xxxoooxx", [15]),
        ("xxoxooo", []),  # Discarded at the first reading back, and the next one is too short.
        ("xxoxxxooo", [15]),
        ("x   xooo", [25]),  # A gap within an episode belongs to it.
        ("x  ooo", [15]),
        ("xxxo  o", [15]),
        ("xxxxx        ooo", [65]),  # 45 minutes without a reading: it continues.
        ("xxxxx         ooo", [25]),  # More than 45: closed five minutes after the last reading.
        ("xx         ooo", []),
        ("xxxo        xooo", [65]),
        ("xxxo         xooo", [15]),
        ("xxx         xxx", [15, 15]),
        ("xxxo         xxx", [15, 15]),
        ("x         x", []),
    ],
)
def test_episodes_open_continue_and_close(picture: str, minutes: list[int]) -> None:
    """Every rule on a drawn series, with the minutes of the episodes that count."""
    expected = Episodes(len(minutes), sum(minutes) / len(minutes)) if minutes else NONE

    assert low_episodes(drawn(picture)) == expected


def test_an_instant_is_that_of_its_slot() -> None:
    """Two minutes of jitter make an episode neither longer nor shorter."""
    jittered = [
        (at + shift, value, 0) for (at, value, _), shift in zip(drawn("xxxooo"), (90, -90) * 3, strict=True)
    ]

    assert low_episodes(jittered) == Episodes(1, 15)


def test_two_readings_in_one_slot_can_discard_an_episode() -> None:
    """If a second source is back in the slot in which the first one opened, there is no episode."""
    phone = drawn("xoo")
    receiver: list[Reading] = [(at + 60, BACK, 0) for at, _, _ in phone]

    assert low_episodes(sorted(phone + receiver)) == NONE


def test_each_threshold_has_its_own_episodes() -> None:
    """A fall below 54 is an episode below 70, too; the values of the thresholds are not beyond them."""
    values = [70, 69, 53, 53, 53, 54, 69, 70, 180, 181, 250, 251, 251, 251, 250, 181, 180, 180, 180]
    of_all = episodes(
        between(series_of(every_five_minutes(START, values)), date(2026, 3, 26), date(2026, 3, 26))
    )

    assert of_all == {
        "below_70": Episodes(1, 30),
        "below_54": Episodes(1, 15),
        "above_180": Episodes(1, 35),
        "above_250": Episodes(1, 15),
    }


def test_no_episodes_are_not_the_same_as_no_readings() -> None:
    """A quiet day has 0 episodes; a day without readings cannot say."""
    assert low_episodes(drawn("oooo")) == Episodes(0, None)
    assert low_episodes([]) == Episodes(None, None)


def test_the_mean_is_of_the_episodes_that_count() -> None:
    """Fifteen and forty-five minutes are thirty on average; the short one between is left out."""
    later = every_five_minutes(START + timedelta(hours=6), [LOW] * 9 + [BACK] * 3)

    assert low_episodes(drawn("xxxoooxooo") + later) == Episodes(2, 30)
