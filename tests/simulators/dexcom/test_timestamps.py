from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.timestamps import offset_s, parse_parameter, parse_with_zone, written_local, written_utc

SECONDS = st.integers(0, 4_000_000_000)


@given(SECONDS)
def test_a_written_time_can_be_parsed(at_s: int) -> None:
    """A UTC time without Z is a valid startDate and with Z a valid lastSyncTime, for the same second."""
    text = written_utc(at_s)

    assert parse_parameter(text[:19]) == at_s
    assert parse_with_zone(text) == at_s


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-06",
        "2026-02-06T09:12",
        "2026-02-06T09:12:35Z",
        "2026-02-06T09:12:35+00:00",
        "2026-02-06T09:12:35.438",
        "2026-02-06 09:12:35",
        "2026-02-30T09:12:35",
        "2026-02-06T24:00:01",
        "1770369155",
        "٢٠٢٦-02-06T09:12:35",
        "2026-02-06T09:12:35\n",
    ],
)
def test_a_date_parameter_has_one_format(text: str) -> None:
    """Dexcom accepts dates with seconds and without a zone, and no other format."""
    assert parse_parameter(text) is None


@pytest.mark.parametrize(
    "text", ["2026-02-06T09:12:35", "2026-02-06", "yesterday", "2026-02-06T09:12:35+24:00"]
)
def test_a_last_sync_time_needs_a_zone(text: str) -> None:
    """A lastSyncTime without a valid zone is rejected."""
    assert parse_with_zone(text) is None


@given(
    SECONDS, st.sampled_from(["Asia/Kathmandu", "Europe/Berlin", "America/New_York", "Australia/Adelaide"])
)
def test_a_local_time_names_the_same_instant(at_s: int, zone: str) -> None:
    """The UTC offset of a local time leads back to the same second."""
    text = written_local(at_s, offset_s(zone, at_s))

    assert datetime.fromisoformat(text).timestamp() == at_s


def test_the_offset_of_kathmandu_is_05_45() -> None:
    """Nepal is five hours and forty-five minutes ahead of UTC."""
    assert written_local(1_777_204_800, offset_s("Asia/Kathmandu", 1_777_204_800)).endswith("+05:45")


def test_daylight_saving_time_ends_on_the_second() -> None:
    """In Berlin the offset changes at 01:00 UTC on the last Sunday of October."""
    change_s = parse_parameter("2026-10-25T01:00:00")
    assert change_s is not None

    assert offset_s("Europe/Berlin", change_s - 1) == 7_200
    assert offset_s("Europe/Berlin", change_s) == 3_600
