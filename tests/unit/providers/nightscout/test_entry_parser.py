from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.nightscout.entry_parser import (
    NOT_AN_ENTRY,
    TIME_ABSURD,
    TIME_MISSING,
    TOO_NOISY,
    VALUE_CODE,
    VALUE_MISSING,
    VALUE_OUT_OF_RANGE,
    ParsedEntry,
    fetched_of,
    parse_entry,
)
from bg_ingest.providers.seam import Rejected
from bg_ingest.readings.model import Device, Reading
from tests.support.fakes import NOON

AT = NOON - timedelta(minutes=5)
ENTRY: dict[str, Any] = {
    "_id": "64f1c0a2b3d4e5f601234567",
    "type": "sgv",
    "sgv": 124,
    "date": round(AT.timestamp() * 1000) + 457,
    "dateString": "2026-04-26T11:55:00.457Z",
    "utcOffset": -420,
    "direction": "FortyFiveDown",
    "device": "xDrip-DexcomG6",
    "noise": 1,
}
ABSENT = object()


def parsed(**changes: Any) -> Any:
    """An ordinary entry with some members changed, parsed."""
    entry = {name: value for name, value in (ENTRY | changes).items() if value is not ABSENT}
    return parse_entry(entry, NOON)


def reading(**changes: Any) -> Reading:
    """The reading of such an entry."""
    found = parsed(**changes)
    assert isinstance(found, ParsedEntry)
    return found.reading


def test_an_entry_becomes_a_reading() -> None:
    """The instant is cut to the second; device, zone and trend are kept."""
    assert reading() == Reading(
        at=AT,
        mg_dl=124,
        trend="fortyFiveDown",
        record_id=ENTRY["_id"],
        local_offset_minutes=-420,
        device=Device(display="xDrip-DexcomG6", relay="nightscout"),
    )


@pytest.mark.parametrize(
    ("sgv", "mg_dl", "status"),
    [
        (39, 39, "low"),
        ("LOW", 39, "low"),
        (40, 40, None),
        (124.5, 125, None),
        ("124", 124, None),
        (400, 400, None),
        (401, 401, "high"),
        ("HIGH", 401, "high"),
        (999, 999, "high"),
    ],
)
def test_values_and_their_words(sgv: object, mg_dl: int, status: str | None) -> None:
    """39 is LOW and everything above 400 is HIGH."""
    assert (reading(sgv=sgv).mg_dl, reading(sgv=sgv).status) == (mg_dl, status)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sgv": 38}, VALUE_CODE),
        ({"sgv": 1}, VALUE_CODE),
        ({"sgv": -5}, VALUE_CODE),
        ({"sgv": 1001}, VALUE_OUT_OF_RANGE),
        ({"sgv": None}, VALUE_MISSING),
        ({"sgv": ABSENT}, VALUE_MISSING),
        ({"sgv": True}, VALUE_MISSING),
        ({"sgv": "12e1"}, VALUE_MISSING),
        ({"noise": 4}, TOO_NOISY),
        ({"date": ABSENT, "dateString": ABSENT}, TIME_MISSING),
        ({"date": "yesterday", "dateString": "yesterday"}, TIME_MISSING),
        ({"date": 0}, TIME_ABSURD),
        ({"date": 1e30}, TIME_ABSURD),
        ({"date": ENTRY["date"] + 2 * 86_400_000}, TIME_ABSURD),
    ],
)
def test_an_entry_that_is_not_a_reading_has_a_reason(changes: dict[str, Any], reason: str) -> None:
    """Error codes, noise and absurd times are rejected, each with its reason."""
    found = parsed(**changes)

    assert isinstance(found, Rejected)
    assert found.reason == reason


@pytest.mark.parametrize("kind", ["cal", "mbg", "etc"])
def test_calibrations_and_fingersticks_are_left_out(kind: str) -> None:
    """They are neither readings nor errors."""
    assert parsed(type=kind) is None


def test_a_deleted_entry_says_so() -> None:
    """An entry with `isValid` false is a reading that was deleted; an unreadable one is nothing."""
    deleted = parsed(isValid=False)

    assert deleted == ParsedEntry(reading(), deleted=True)
    assert parsed(isValid=False, sgv=5) is None


@pytest.mark.parametrize(
    ("offset", "text", "minutes"),
    [
        (-420, None, -420),
        (345, None, 345),
        (62, None, 60),
        (None, "2026-04-26T13:55:00.000+0200", 120),
        (None, "2026-04-26T06:25:00.000-05:30", -330),
        (None, "2026-04-26T11:55:00.000Z", None),
        (5000, None, None),
    ],
)
def test_the_zone_is_kept(offset: object, text: str | None, minutes: int | None) -> None:
    """`utcOffset` counts; without it the zone of `dateString` does."""
    assert reading(utcOffset=offset, dateString=text).local_offset_minutes == minutes


@pytest.mark.parametrize(
    ("members", "trend"),
    [
        ({"direction": "Flat"}, "flat"),
        ({"direction": "NOT COMPUTABLE"}, "notComputable"),
        ({"direction": "Sideways"}, "Sideways"),
        ({"direction": ABSENT, "trend": 7}, "doubleDown"),
        ({"direction": ABSENT, "trend": 12}, None),
        ({"direction": ABSENT}, None),
    ],
)
def test_trends_have_the_words_of_readings(members: dict[str, Any], trend: str | None) -> None:
    """The direction counts, then the number; an unknown word is kept."""
    assert reading(**members).trend == trend


def test_an_entry_without_a_date_has_the_one_of_its_text() -> None:
    """Also a date as text is read."""
    assert reading(date=ABSENT).at == AT
    assert reading(date=str(ENTRY["date"])).at == AT
    assert reading(date=float(ENTRY["date"])).at == AT


def test_the_later_of_two_states_of_an_entry_counts() -> None:
    """An edit and a deletion replace what was listed before, by either id."""
    listed = ENTRY | {"identifier": "a-b"}
    edited = {name: value for name, value in listed.items() if name != "_id"} | {"sgv": 99}

    assert [it.mg_dl for it in fetched_of([listed, edited], NOON).readings] == [99]
    deleted = fetched_of([listed, edited | {"isValid": False}], NOON)
    assert (deleted.readings, len(deleted.removed)) == ((), 1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_MEMBERS = ["_id", "identifier", "type", "sgv", "date", "dateString", "utcOffset", "direction", "trend"]
_MEMBERS += ["device", "noise", "isValid", "sysTime"]


@given(st.lists(_JSON | st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=8), max_size=5))
def test_no_json_raises(entries: list[Any]) -> None:
    """Each entry becomes at most one part of the result, and readings are within their bounds."""
    fetched = fetched_of(entries, NOON)

    assert len(fetched.readings) + len(fetched.rejected) + len(fetched.removed) <= len(entries)
    for it in (*fetched.readings, *fetched.removed):
        assert 39 <= it.mg_dl <= 1000
        assert datetime(2010, 1, 1, tzinfo=UTC) <= it.at <= NOON + timedelta(days=1)
        assert it.at.microsecond == 0
        assert it.local_offset_minutes is None or it.local_offset_minutes % 15 == 0


@given(st.integers(min_value=39, max_value=1000), st.integers(min_value=0, max_value=10**10))
def test_a_valid_entry_keeps_its_value_and_its_second(sgv: int, ago_ms: int) -> None:
    """Nothing but the fraction of the second is lost."""
    date = ENTRY["date"] - ago_ms

    assert reading(sgv=sgv, date=date).mg_dl == sgv
    assert reading(sgv=sgv, date=date).at == datetime.fromtimestamp(date // 1000, UTC)


def test_an_entry_that_is_not_an_object_is_rejected() -> None:
    """A text or a list in the answer is kept as rejected."""
    assert [it.reason for it in fetched_of(["x", [1]], NOON).rejected] == [NOT_AN_ENTRY, NOT_AN_ENTRY]
