from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from dexcom_sim.timestamps import parse_with_zone, written_utc
from tests.simulators.dexcom.visitor import ANA, DAY_S, HOUR_S, Visitor, new_visitor


@pytest.fixture
def visitor() -> Visitor:
    """Noon, with uploads served at once."""
    return new_visitor()


def before_and_after(
    visitor: Visitor, kind: str, **members: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The last day's records, without the fault and with it."""
    tokens = visitor.connect()
    well = visitor.day(tokens)
    visitor.add_fault(kind, **members)
    return well, visitor.day(tokens)


def test_revised_values_are_the_same_readings(visitor: Visitor) -> None:
    """Every value is another one; times, ticks and, unless wanted, record ids are not."""
    well, revised = before_and_after(visitor, "revised_values", by_mg_dl=7)

    assert [it["value"] for it in revised] == [min(it["value"] + 7, 401) for it in well]
    assert [it["recordId"] for it in revised] == [it["recordId"] for it in well]


def test_a_revision_may_change_the_record_ids(visitor: Visitor) -> None:
    """Dexcom does not promise that they stay."""
    well, revised = before_and_after(visitor, "revised_values", new_record_ids=True)

    assert not {it["recordId"] for it in well} & {it["recordId"] for it in revised}
    assert [it["transmitterTicks"] for it in well] == [it["transmitterTicks"] for it in revised]


def test_only_what_was_read_before_is_revised(visitor: Visitor) -> None:
    """Readings made after the order are new, not revised."""
    tokens = visitor.connect()
    visitor.add_fault("revised_values", by_mg_dl=300)
    visitor.clock.advance(HOUR_S)

    assert all(it["value"] < 401 for it in visitor.day(tokens)[:10])


def test_duplicates_are_one_measurement_twice(visitor: Visitor) -> None:
    """Each pair shares transmitter and ticks, and differs in record id, device and seconds."""
    well, doubled = before_and_after(visitor, "duplicates", apart_s=7)
    copies = [it for it in doubled if it["displayDevice"] == "receiver"]
    named = Counter((it["transmitterId"], it["transmitterTicks"]) for it in doubled)

    assert len(doubled) >= 2 * len(well) - 1
    assert sorted(named.values())[1:] == [2] * (len(named) - 1)
    assert len({it["recordId"] for it in doubled}) == len(doubled)
    assert len(copies[0]["displayTime"]) == 19


@pytest.mark.parametrize("apart_s", [-60, 7, 60])
def test_a_copy_may_fall_into_another_window(visitor: Visitor, apart_s: int) -> None:
    """Two windows side by side hold what one over both holds, and each record is in one of them."""
    tokens = visitor.connect()
    reading_s = parse_with_zone(visitor.day(tokens)[20]["systemTime"])
    assert reading_s is not None
    middle_s = reading_s + apart_s // 2
    visitor.add_fault("duplicates", apart_s=apart_s)

    def ids(from_s: int, to_s: int) -> set[str]:
        return {it["recordId"] for it in visitor.egvs(tokens, from_s, to_s).json()["records"]}

    earlier, later = ids(middle_s - HOUR_S, middle_s), ids(middle_s, middle_s + HOUR_S)
    assert earlier | later == ids(middle_s - HOUR_S, middle_s + HOUR_S)
    assert not earlier & later


def test_a_share_is_the_same_share_every_time(visitor: Visitor) -> None:
    """Reading again finds the same records changed."""
    tokens = visitor.connect()
    visitor.add_fault("odd_values", share=0.3, values=[600])
    first, second = visitor.day(tokens), visitor.day(tokens)

    assert first == second
    assert 0.15 < sum(it["value"] == 600 for it in first) / len(first) < 0.45


def test_disorder_loses_nothing(visitor: Visitor) -> None:
    """The same records, in no order."""
    well, shuffled = before_and_after(visitor, "unordered")

    assert [it["recordId"] for it in well] != [it["recordId"] for it in shuffled]
    assert sorted(it["recordId"] for it in well) == sorted(it["recordId"] for it in shuffled)


def test_unknown_words(visitor: Visitor) -> None:
    """Among them the two that were seen live."""
    _, odd = before_and_after(visitor, "unknown_enums")
    generations = {it["transmitterGeneration"] for it in odd}

    assert {"g6 pro", "g715day"} <= generations
    assert not {it["trend"] for it in odd} & {"flat", "singleUp", "none"}


@pytest.mark.parametrize(("how", "left"), [("absent", "gone"), ("null", None), ("empty", "")])
def test_missing_members(visitor: Visitor, how: str, left: str | None) -> None:
    """Left out, null or empty, as ordered."""
    _, odd = before_and_after(visitor, "missing_members", members=["value", "transmitterId"], how=how)

    assert {(it.get("value", "gone"), it.get("transmitterId", "gone")) for it in odd} == {(left, left)}


def test_the_unit_may_lie(visitor: Visitor) -> None:
    """It says mmol/L, and the values are mg/dL all the same."""
    well, odd = before_and_after(visitor, "mmol_units")

    assert {it["unit"] for it in odd} == {"mmol/L"}
    assert [it["value"] for it in odd] == [it["value"] for it in well]


def test_the_unit_may_be_true(visitor: Visitor) -> None:
    """If wanted, the values are converted too."""
    well, odd = before_and_after(visitor, "mmol_units", convert=True)

    assert [round(it["value"] * 18.0182) - other["value"] for it, other in zip(odd, well, strict=True)] == [
        pytest.approx(0, abs=1) for _ in well
    ]


def test_times_come_in_every_form(visitor: Visitor) -> None:
    """Five forms of systemTime and four of displayTime, all of the instant they had before."""
    well, odd = before_and_after(visitor, "time_strings", system="any", display="any")

    def form(text: str) -> str:
        return "".join("9" if it.isdigit() else it for it in text)

    assert {form(it["systemTime"]) for it in odd} == {
        "9999-99-99T99:99:99Z",
        "9999-99-99T99:99:99.999Z",
        "9999-99-99T99:99:99",
        "9999-99-99T99:99Z",
        "9999-99-99T99:99:99+99:99",
    }
    assert {form(it["displayTime"]) for it in odd} == {
        "9999-99-99T99:99:99+99:99",
        "9999-99-99T99:99:99.999+99:99",
        "9999-99-99T99:99:99",
        "9999-99-99T99:99:99+99:99:99",
    }
    assert [it["systemTime"][:16] for it in odd] == [it["systemTime"][:16] for it in well]


def test_offsets_may_have_seconds(visitor: Visitor) -> None:
    """A displayTime whose offset is a second off still names its instant."""
    well, odd = before_and_after(visitor, "time_strings", display="offset_with_seconds")

    assert odd[0]["displayTime"].endswith("+02:00:01")
    assert datetime.fromisoformat(odd[0]["displayTime"]) == datetime.fromisoformat(well[0]["displayTime"])


def test_a_fast_clock_dates_readings_in_the_future(visitor: Visitor) -> None:
    """From the order on the device is ahead; what it sent before stays, the ticks are true."""
    tokens = visitor.connect()
    visitor.add_fault("clock_drift", drift_s=HOUR_S)
    visitor.clock.advance(HOUR_S)
    now_s = visitor.now_s
    future = visitor.egvs(tokens, now_s, now_s + HOUR_S).json()["records"]

    assert future
    assert all(it["displayTime"] > it["systemTime"] for it in future)
    assert not [
        it
        for it in visitor.egvs(tokens, now_s - HOUR_S + 1, now_s - 1).json()["records"]
        if now_s - HOUR_S + 1 < (parse_with_zone(it["systemTime"]) or 0) < now_s - 1
    ]
    assert len(visitor.egvs(tokens, now_s - 3 * HOUR_S, now_s - HOUR_S).json()["records"]) > 20


def test_summer_time_can_be_ordered(visitor: Visitor) -> None:
    """From the order on the wall clock is an hour further; the instants are not."""
    tokens = visitor.connect()
    visitor.add_fault("dst_change", shift_minutes=60)
    visitor.clock.advance(HOUR_S)
    offsets = [it["displayTime"][-6:] for it in visitor.day(tokens)]

    assert set(offsets) == {"+02:00", "+03:00"}
    assert sorted(offsets, reverse=True) == offsets


def test_summer_time_comes_by_itself_too() -> None:
    """When the clock is moved over the last Sunday of October, Berlin's offset changes on its own."""
    visitor = new_visitor()
    visitor.client.post("/_sim/clock", json={"now": "2026-10-25T12:00:00Z"})
    offsets = {it["displayTime"][-6:] for it in visitor.day(visitor.connect(ANA))}

    assert offsets == {"+02:00", "+01:00"}


def test_the_record_type_may_be_plural(visitor: Visitor) -> None:
    """Once; then it is singular again."""
    tokens = visitor.connect()
    visitor.add_fault("plural_record_type", times=1)
    types = [visitor.egvs(tokens, visitor.now_s - 60, visitor.now_s).json()["recordType"] for _ in range(2)]

    assert types == ["egvs", "egv"]


def test_members_nobody_documented(visitor: Visitor) -> None:
    """In every record and around them."""
    _, odd = before_and_after(visitor, "extra_members")

    assert all({"sensorCode", "quality"} <= set(it) for it in odd)


def test_faults_can_be_bounded_by_date(visitor: Visitor) -> None:
    """Only readings dated from `since` until `before` are changed."""
    since, before = written_utc(visitor.now_s - 2 * HOUR_S), written_utc(visitor.now_s - HOUR_S)
    _, odd = before_and_after(visitor, "odd_values", values=[600], since=since, before=before)

    assert {since <= it["systemTime"] < before for it in odd if it["value"] == 600} == {True}
    assert all(it["value"] == 600 for it in odd if since <= it["systemTime"] < before)


def test_version_2_is_struck_too(visitor: Visitor) -> None:
    """The older API shows the same faults as far as it shows the members at all."""
    tokens = visitor.connect()
    visitor.add_fault("odd_values", values=[600])
    visitor.add_fault("time_strings", system="no_seconds")
    response = visitor.egvs(tokens, visitor.now_s - DAY_S, visitor.now_s, "/v2/users/self/egvs").json()

    assert {it["value"] for it in response["egvs"]} == {600}
