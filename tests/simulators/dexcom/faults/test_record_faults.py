from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from dexcom_sim.timestamps import parse_with_zone, written_utc
from tests.simulators.dexcom.visitor import ANA, DAY_S, HOUR_S, Visitor, new_visitor


@pytest.fixture
def visitor() -> Visitor:
    """A visitor at noon; uploads are visible at once."""
    return new_visitor()


def before_and_after(
    visitor: Visitor, kind: str, **members: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The records of the last day, without the fault and with it."""
    tokens = visitor.connect()
    unchanged = visitor.day(tokens)
    visitor.add_fault(kind, **members)
    return unchanged, visitor.day(tokens)


def test_revised_values_keep_the_record_ids(visitor: Visitor) -> None:
    """Every value changes; times, ticks and record ids stay."""
    unchanged, revised = before_and_after(visitor, "revised_values", by_mg_dl=7)

    assert [it["value"] for it in revised] == [min(it["value"] + 7, 401) for it in unchanged]
    assert [it["recordId"] for it in revised] == [it["recordId"] for it in unchanged]


def test_a_revision_can_change_the_record_ids(visitor: Visitor) -> None:
    """With `new_record_ids` the ids change and the ticks stay, because Dexcom does not promise stable ids."""
    unchanged, revised = before_and_after(visitor, "revised_values", new_record_ids=True)

    assert not {it["recordId"] for it in unchanged} & {it["recordId"] for it in revised}
    assert [it["transmitterTicks"] for it in unchanged] == [it["transmitterTicks"] for it in revised]


def test_readings_after_the_fault_are_not_revised(visitor: Visitor) -> None:
    """Readings that are measured after the start of the fault are new, not revised."""
    tokens = visitor.connect()
    visitor.add_fault("revised_values", by_mg_dl=300)
    visitor.clock.advance(HOUR_S)

    assert all(it["value"] < 401 for it in visitor.day(tokens)[:10])


def test_duplicates_share_transmitter_and_ticks(visitor: Visitor) -> None:
    """The two records of a pair differ in record id, device and time."""
    unchanged, doubled = before_and_after(visitor, "duplicates", apart_s=7)
    copies = [it for it in doubled if it["displayDevice"] == "receiver"]
    named = Counter((it["transmitterId"], it["transmitterTicks"]) for it in doubled)

    assert len(doubled) >= 2 * len(unchanged) - 1
    assert sorted(named.values())[1:] == [2] * (len(named) - 1)
    assert len({it["recordId"] for it in doubled}) == len(doubled)
    assert len(copies[0]["displayTime"]) == 19


@pytest.mark.parametrize("apart_s", [-60, 7, 60])
def test_a_duplicate_can_fall_into_another_window(visitor: Visitor, apart_s: int) -> None:
    """Two adjacent windows together return what one window over both returns, and no record twice."""
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


def test_a_share_selects_the_same_records_every_time(visitor: Visitor) -> None:
    """Reading again returns the same changed records."""
    tokens = visitor.connect()
    visitor.add_fault("odd_values", share=0.3, values=[600])
    first, second = visitor.day(tokens), visitor.day(tokens)

    assert first == second
    assert 0.15 < sum(it["value"] == 600 for it in first) / len(first) < 0.45


def test_unordered_records_are_complete(visitor: Visitor) -> None:
    """The response has the same records in another order."""
    unchanged, shuffled = before_and_after(visitor, "unordered")

    assert [it["recordId"] for it in unchanged] != [it["recordId"] for it in shuffled]
    assert sorted(it["recordId"] for it in unchanged) == sorted(it["recordId"] for it in shuffled)


def test_unknown_words_are_set(visitor: Visitor) -> None:
    """The words include the two that were observed at Dexcom."""
    _, changed = before_and_after(visitor, "unknown_enums")
    generations = {it["transmitterGeneration"] for it in changed}

    assert {"g6 pro", "g715day"} <= generations
    assert not {it["trend"] for it in changed} & {"flat", "singleUp", "none"}


@pytest.mark.parametrize(("how", "left"), [("absent", "gone"), ("null", None), ("empty", "")])
def test_members_can_be_absent_null_or_empty(visitor: Visitor, how: str, left: str | None) -> None:
    """Each of the three forms is written as the fault says."""
    _, changed = before_and_after(visitor, "missing_members", members=["value", "transmitterId"], how=how)

    assert {(it.get("value", "gone"), it.get("transmitterId", "gone")) for it in changed} == {(left, left)}


def test_the_unit_can_be_wrong(visitor: Visitor) -> None:
    """The unit says mmol/L while the values stay in mg/dL."""
    unchanged, changed = before_and_after(visitor, "mmol_units")

    assert {it["unit"] for it in changed} == {"mmol/L"}
    assert [it["value"] for it in changed] == [it["value"] for it in unchanged]


def test_the_values_can_be_converted_to_mmol(visitor: Visitor) -> None:
    """With `convert` the values are in mmol/L too."""
    unchanged, changed = before_and_after(visitor, "mmol_units", convert=True)

    assert [
        round(it["value"] * 18.0182) - other["value"] for it, other in zip(changed, unchanged, strict=True)
    ] == [pytest.approx(0, abs=1) for _ in unchanged]


def test_times_can_have_every_format(visitor: Visitor) -> None:
    """Five formats of systemTime and four of displayTime all name the same instant as before."""
    unchanged, changed = before_and_after(visitor, "time_strings", system="any", display="any")

    def form(text: str) -> str:
        return "".join("9" if it.isdigit() else it for it in text)

    assert {form(it["systemTime"]) for it in changed} == {
        "9999-99-99T99:99:99Z",
        "9999-99-99T99:99:99.999Z",
        "9999-99-99T99:99:99",
        "9999-99-99T99:99Z",
        "9999-99-99T99:99:99+99:99",
    }
    assert {form(it["displayTime"]) for it in changed} == {
        "9999-99-99T99:99:99+99:99",
        "9999-99-99T99:99:99.999+99:99",
        "9999-99-99T99:99:99",
        "9999-99-99T99:99:99+99:99:99",
    }
    assert [it["systemTime"][:16] for it in changed] == [it["systemTime"][:16] for it in unchanged]


def test_offsets_can_have_seconds(visitor: Visitor) -> None:
    """A displayTime whose offset is a second wrong still names its instant."""
    unchanged, changed = before_and_after(visitor, "time_strings", display="offset_with_seconds")

    assert changed[0]["displayTime"].endswith("+02:00:01")
    assert datetime.fromisoformat(changed[0]["displayTime"]) == datetime.fromisoformat(
        unchanged[0]["displayTime"]
    )


def test_clock_drift_moves_readings_into_the_future(visitor: Visitor) -> None:
    """The times are ahead from the start of the fault on; earlier readings and all ticks stay."""
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


def test_a_fault_can_shift_the_local_time(visitor: Visitor) -> None:
    """From the start of the fault on the local time is an hour ahead; the instants stay."""
    tokens = visitor.connect()
    visitor.add_fault("dst_change", shift_minutes=60)
    visitor.clock.advance(HOUR_S)
    offsets = [it["displayTime"][-6:] for it in visitor.day(tokens)]

    assert set(offsets) == {"+02:00", "+03:00"}
    assert sorted(offsets, reverse=True) == offsets


def test_daylight_saving_time_follows_the_clock() -> None:
    """When the clock passes the last Sunday of October, Berlin's offset changes without a fault."""
    visitor = new_visitor()
    visitor.client.post("/_sim/clock", json={"now": "2026-10-25T12:00:00Z"})
    offsets = {it["displayTime"][-6:] for it in visitor.day(visitor.connect(ANA))}

    assert offsets == {"+02:00", "+01:00"}


def test_the_record_type_can_be_plural(visitor: Visitor) -> None:
    """The fault acts on one call; the next response has the singular again."""
    tokens = visitor.connect()
    visitor.add_fault("plural_record_type", times=1)
    types = [visitor.egvs(tokens, visitor.now_s - 60, visitor.now_s).json()["recordType"] for _ in range(2)]

    assert types == ["egvs", "egv"]


def test_undocumented_members_are_added(visitor: Visitor) -> None:
    """Every record has the extra members."""
    _, changed = before_and_after(visitor, "extra_members")

    assert all({"sensorCode", "quality"} <= set(it) for it in changed)


def test_since_and_before_limit_a_record_fault(visitor: Visitor) -> None:
    """Only readings dated from `since` until `before` are changed."""
    since, before = written_utc(visitor.now_s - 2 * HOUR_S), written_utc(visitor.now_s - HOUR_S)
    _, changed = before_and_after(visitor, "odd_values", values=[600], since=since, before=before)

    assert {since <= it["systemTime"] < before for it in changed if it["value"] == 600} == {True}
    assert all(it["value"] == 600 for it in changed if since <= it["systemTime"] < before)


def test_record_faults_act_on_version_2(visitor: Visitor) -> None:
    """The older endpoint returns the same changes in the members that it has."""
    tokens = visitor.connect()
    visitor.add_fault("odd_values", values=[600])
    visitor.add_fault("time_strings", system="no_seconds")
    response = visitor.egvs(tokens, visitor.now_s - DAY_S, visitor.now_s, "/v2/users/self/egvs").json()

    assert {it["value"] for it in response["egvs"]} == {600}
