"""The properties of Nightscout's version 2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bg_ingest.facades.nightscout.properties import properties_of

NOW = datetime(2023, 9, 1, 1, 0, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)


def _entry(minutes_ago: float, sgv: int, direction: str = "Flat") -> dict[str, Any]:
    mills = MS - int(minutes_ago * 60_000)
    return {
        "_id": "0" * 24,
        "type": "sgv",
        "sgv": sgv,
        "mills": mills,
        "date": mills,
        "direction": direction,
        "device": "G7",
    }


def test_buckets_are_four_windows_back_from_the_last_reading() -> None:
    """Each window has five minutes; an empty one says so."""
    found = properties_of([_entry(1, 120), _entry(6, 118), _entry(16, 110)], NOW)
    buckets = found["buckets"]

    assert [bucket["index"] for bucket in buckets] == [0, 1, 2, 3]
    assert buckets[0]["fromMills"] == MS - 60_000 - 150_000
    assert all(bucket["toMills"] - bucket["fromMills"] == 300_000 for bucket in buckets)
    assert [bucket.get("last") for bucket in buckets] == [120, 118, None, 110]
    assert (buckets[2]["isEmpty"], buckets[2]["sgvs"]) == (True, [])
    assert found["bgnow"].keys() == {"mean", "last", "mills", "sgvs"}


@pytest.mark.parametrize(
    ("older", "mgdl", "interpolated", "display"),
    [
        ((6, 118), 2, False, "+2"),
        ((6, 125), -5, False, "-5"),
        ((6, 120), 0, False, "+0"),
        ((16, 105), 5, True, "+5"),
    ],
)
def test_delta_compares_the_two_newest_buckets(
    older: tuple[float, int], mgdl: int, display: str, *, interpolated: bool
) -> None:
    """After more than nine minutes it is interpolated to five."""
    delta = properties_of([_entry(1, 120), _entry(*older)], NOW)["delta"]

    assert (delta["mgdl"], delta["interpolated"], delta["display"]) == (mgdl, interpolated, display)
    assert delta["times"] == {"recent": MS - 60_000, "previous": MS - int(older[0] * 60_000)}


def test_one_reading_has_no_delta() -> None:
    """The property is null, as in Nightscout."""
    assert properties_of([_entry(1, 120)], NOW)["delta"] is None


def test_a_low_value_is_in_no_mean_but_can_be_the_last() -> None:
    """39 stands for any value below the range."""
    found = properties_of([_entry(1, 39), _entry(6, 60)], NOW)

    assert found["bgnow"]["last"] == 39
    assert "mean" not in found["bgnow"]
    assert found["delta"]["mgdl"] == -21


def test_the_direction_is_that_of_a_current_reading() -> None:
    """After fifteen minutes it is left out."""
    shown = properties_of([_entry(15, 120, "FortyFiveUp")], NOW)["direction"]

    assert shown == {"display": None, "value": "FortyFiveUp", "label": "↗", "entity": "&#8599;"}
    assert "direction" not in properties_of([_entry(15.1, 120)], NOW)
    assert properties_of([_entry(1, 120)], NOW)["direction"]["entity"] == "&#8594;"


def test_only_the_named_properties_are_returned() -> None:
    """Unknown names are ignored."""
    newest = [_entry(1, 120), _entry(6, 118)]

    assert properties_of(newest, NOW, ["delta", "iob"]).keys() == {"delta"}
    assert properties_of(newest, NOW).keys() == {"bgnow", "buckets", "delta", "direction"}


def test_without_readings_there_is_nothing_now() -> None:
    """No property is missing that a client reads."""
    assert properties_of([], NOW + timedelta(0)) == {"bgnow": {}, "buckets": [], "delta": None}
