from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.people.population import population
from dexcom_sim.people.records import as_v2, record_of, trend_of, user_id, value_and_status
from dexcom_sim.people.sensors import measurements, sensor_at, sensor_start_s

PEOPLE = population(1)
NOON_S = 1_777_204_800


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (39.4, (39, "low")),
        (39.5, (40, None)),
        (25.0, (39, "low")),
        (400.4, (400, None)),
        (400.6, (401, "high")),
    ],
)
def test_a_sensor_reports_40_to_400(level: float, said: tuple[int, str | None]) -> None:
    """A lower level is reported as 39 and low, a higher level as 401 and high."""
    assert value_and_status(level) == said


@pytest.mark.parametrize(
    ("rate", "arrow"),
    [
        (3.0, "doubleUp"),
        (2.9, "singleUp"),
        (1.9, "fortyFiveUp"),
        (0.9, "flat"),
        (-0.9, "flat"),
        (-1.0, "fortyFiveDown"),
        (-2.0, "singleDown"),
        (-3.0, "doubleDown"),
        (8.1, "rateOutOfRange"),
        (None, "notComputable"),
    ],
)
def test_the_trend_follows_the_rate(rate: float | None, arrow: str) -> None:
    """The trend is the one that Dexcom documents for the rate."""
    assert trend_of(rate) == arrow


@given(st.sampled_from(sorted(PEOPLE)), st.integers(NOON_S - 366 * 86_400, NOON_S))
def test_records_have_the_documented_form(user: str, from_s: int) -> None:
    """The members are those of Dexcom, and value, status, trend and rate agree with each other."""
    for measured in measurements(PEOPLE[user], from_s, from_s + 3_600):
        record = record_of(PEOPLE[user], "app", measured)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["systemTime"])
        assert UUID(record["recordId"]).version == 5
        assert 39 <= record["value"] <= 401
        assert record["status"] == {39: "low", 401: "high"}.get(record["value"])
        assert record["trend"] in {trend_of(record["trendRate"]), "rateOutOfRange"}


def test_only_phones_send_their_offset() -> None:
    """The displayTime of a receiver has no UTC offset."""

    def shown(user: str) -> str:
        measured = next(measurements(PEOPLE[user], NOON_S, NOON_S + 86_400))
        return str(record_of(PEOPLE[user], "app", measured)["displayTime"])

    assert shown("SandboxUser5").endswith("+05:45")
    assert len(shown("SandboxUser4")) == 19


def test_a_new_sensor_has_no_trend() -> None:
    """The first readings of a sensor have no rate."""
    person = PEOPLE["SandboxUser7"]
    warm_s = sensor_start_s(person, sensor_at(person, NOON_S)) + person.sensor_model.warm_up_s
    first = next(measurements(person, warm_s, warm_s + 3_600))
    record = record_of(person, "app", first)

    assert (record["trend"], record["trendRate"]) == ("notComputable", None)


def test_ids_differ_between_applications() -> None:
    """Another application gets another user id and another record id for the same reading."""
    person = PEOPLE["SandboxUser1"]
    measured = next(measurements(person, NOON_S, NOON_S + 86_400))

    assert user_id("app", person) != user_id("other", person)
    assert user_id("app", person) != user_id("app", PEOPLE["SandboxUser2"])
    assert record_of(person, "app", measured)["recordId"] != record_of(person, "other", measured)["recordId"]


def test_version_2_has_no_ids_and_no_zones() -> None:
    """The record of the older endpoint has the same value, and times without a zone."""
    measured = next(measurements(PEOPLE["SandboxUser1"], NOON_S, NOON_S + 86_400))
    record = record_of(PEOPLE["SandboxUser1"], "app", measured)
    older = as_v2(record)

    assert older["value"] == older["realtimeValue"] == record["value"]
    assert older["systemTime"] == record["systemTime"].removesuffix("Z")
    assert len(older["displayTime"]) == 19
    assert not {"recordId", "transmitterId"} & set(older)
