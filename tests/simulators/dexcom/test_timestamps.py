from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.timestamps import offset_s, parse_parameter, parse_with_zone, written_local, written_utc

SECONDS = st.integers(0, 4_000_000_000)


@given(SECONDS)
def test_what_is_written_can_be_read(at_s: int) -> None:
    """A UTC time without its Z is a parameter, with it a lastSyncTime, and both mean the same second."""
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
def test_a_parameter_has_one_form_only(text: str) -> None:
    """Dexcom reads dates with seconds and without a zone, and nothing else."""
    assert parse_parameter(text) is None


@pytest.mark.parametrize(
    "text", ["2026-02-06T09:12:35", "2026-02-06", "yesterday", "2026-02-06T09:12:35+24:00"]
)
def test_a_sync_time_needs_a_zone(text: str) -> None:
    """A lastSyncTime without a usable zone is refused."""
    assert parse_with_zone(text) is None


@given(
    SECONDS, st.sampled_from(["Asia/Kathmandu", "Europe/Berlin", "America/New_York", "Australia/Adelaide"])
)
def test_local_times_name_the_same_instant(at_s: int, zone: str) -> None:
    """However far the wall clock is, the offset leads back to the second."""
    text = written_local(at_s, offset_s(zone, at_s))

    assert datetime.fromisoformat(text).timestamp() == at_s


def test_kathmandu_is_a_quarter_hour_off() -> None:
    """Nepal's clocks are five hours and forty-five minutes ahead."""
    assert written_local(1_777_204_800, offset_s("Asia/Kathmandu", 1_777_204_800)).endswith("+05:45")


def test_summer_time_ends_on_the_second() -> None:
    """In Berlin the offset changes at 01:00 UTC on the last Sunday of October."""
    change_s = parse_parameter("2026-10-25T01:00:00")
    assert change_s is not None

    assert offset_s("Europe/Berlin", change_s - 1) == 7_200
    assert offset_s("Europe/Berlin", change_s) == 3_600
