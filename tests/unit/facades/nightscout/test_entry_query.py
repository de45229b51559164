"""The query grammar of Nightscout, compared with a small model of it, and random input."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bg_ingest.facades.nightscout.entry_query import (
    COUNT_DEFAULT,
    COUNT_MAX,
    EntryQuery,
    QueryInvalid,
    parse_query,
    time_ms,
)
from bg_ingest.facades.nightscout.sgv_entry import entries_of
from bg_ingest.readings.model import Columns, Device
from bg_ingest.readings.stored.stored_reading import HourColumns

NOW = datetime(2026, 4, 26, 12, 0, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
DAY_MS = 86_400_000
TRENDS = ["flat", "singleUp", "fortyFiveDown", "doubleDown", None, "rateOutOfRange"]


def _history() -> list[dict[str, Any]]:
    """Return entries of ten days, newest first, an hour apart, with every kind of value."""
    hours = []
    for age in range(240):
        start = NOW - timedelta(hours=age + 1)
        columns = Columns(
            [60 * (age % 60)],
            [40 + age],
            [TRENDS[age % len(TRENDS)]],
            [None],
            [("low", "high", None)[age % 3]],
            ["cgm"],
            [-420],
            [start],
            [0],
            [Device("g7")],
        )
        columns = columns._replace(trend_rate=[None], status=[("low", "high", None, None)[age % 4]])
        hours.append(HourColumns(start, columns))
    return list(entries_of("made-up", hours))


HISTORY = _history()


def answered(query: EntryQuery) -> list[dict[str, Any]]:
    """Return what the facade answers: the entries of the window that match, at most so many."""
    start, end = query.window(NOW)
    inside = [e for e in HISTORY if start.timestamp() * 1000 <= e["date"] < end.timestamp() * 1000]
    return [entry for entry in inside if query.holds(entry)][: query.count_max]


# ------------------------------------------------------------------------------------------- the model
# One condition is (field, operator, value as a text, value as the model compares it).
NUMBERS = {"sgv": [39, 41, 100, 150, 401], "trend": [0, 4, 7], "noise": [1, 2], "utcOffset": [-420, 0]}
TEXTS = {
    "direction": ["Flat", "SingleUp", "NONE", "RATE OUT OF RANGE"],
    "type": ["sgv", "cal"],
    "device": ["G7", "x"],
    "nonsense": ["x"],
}
COMPARISONS = ["$gt", "$gte", "$lt", "$lte", "$eq", "$ne", None]


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@st.composite
def _conditions(draw: st.DrawFn) -> tuple[str, str | None, str, Any]:
    kind = draw(st.sampled_from(["time", "number", "text", "list", "exists", "regex"]))
    if kind == "time":
        field = draw(st.sampled_from(["date", "dateString"]))
        ms = MS - draw(st.integers(-2, 11)) * DAY_MS + draw(st.sampled_from([0, 0, 1000, 3_600_000]))
        texts = [_iso(ms), *([str(ms), f"{ms}.0"] if field == "date" else [])]
        return field, draw(st.sampled_from(COMPARISONS)), draw(st.sampled_from(texts)), ms
    if kind == "number":
        field = draw(st.sampled_from(sorted(NUMBERS)))
        number = draw(st.sampled_from(NUMBERS[field]))
        return field, draw(st.sampled_from(COMPARISONS)), str(number), number
    field = draw(st.sampled_from(sorted(TEXTS)))
    word = draw(st.sampled_from(TEXTS[field]))
    if kind == "list":
        words = draw(st.lists(st.sampled_from(TEXTS[field]), min_size=1, max_size=3))
        return field, draw(st.sampled_from(["$in", "$nin"])), ",".join(words), words
    if kind == "exists":
        return field, "$exists", *draw(st.sampled_from([("true", True), ("false", False)]))
    if kind == "regex":
        pattern = draw(st.sampled_from(["^F", "p$", "[SG]", ".*Up", "RANGE"]))
        return field, "$regex", pattern, pattern
    return field, draw(st.sampled_from(COMPARISONS)), word, word


def _model_value(entry: dict[str, Any], field: str) -> Any:
    return entry["date"] if field == "dateString" else entry.get(field)


def _model_holds(entry: dict[str, Any], field: str, operator: str | None, value: Any) -> bool:
    own = _model_value(entry, field)
    if operator in {"$exists", "$ne", "$nin"}:  # They can hold for a field that is not there.
        there: dict[str, bool] = {
            "$exists": (own is not None) is value,
            "$ne": own != value,
            "$nin": isinstance(value, list) and own not in value,
        }
        return there[operator]
    if own is None:
        return False
    if operator in {"$in", "$regex"}:
        return own in value if operator == "$in" else re.search(value, str(own)) is not None
    compared: dict[str | None, bool] = {
        "$gt": own > value,
        "$gte": own >= value,
        "$lt": own < value,
        "$lte": own <= value,
        "$eq": own == value,
        None: own == value,
    }
    return compared[operator]


def _model(conditions: list[tuple[str, str | None, str, Any]], count: str | None) -> list[dict[str, Any]]:
    found = HISTORY
    if not any(field in {"date", "dateString"} for field, *_ in conditions):
        found = [entry for entry in found if entry["date"] >= MS - 4 * DAY_MS]
    for field, operator, _, value in conditions:
        found = [entry for entry in found if _model_holds(entry, field, operator, value)]
    most = int(count) if count else 10
    return found if most == 0 and conditions else found[:most]


@settings(max_examples=300)
@given(
    conditions=st.lists(_conditions(), max_size=4, unique_by=lambda each: each[:2]),
    count=st.sampled_from([None, "", "0", "1", "10", "60", "1440", "26000", "10}"]),
    is_raw=st.booleans(),
    data=st.data(),
)
def test_a_query_finds_what_the_model_finds(
    conditions: list[tuple[str, str | None, str, Any]],
    count: str | None,
    *,
    is_raw: bool,
    data: st.DataObject,
) -> None:
    """Three hundred generated queries, with encoded and with raw brackets, and cache busters in between."""
    pairs = [
        (f"find[{field}]" + (f"[{operator}]" if operator else ""), text)
        for field, operator, text, _ in conditions
    ]
    pairs += [("count", count)] if count is not None else []
    pairs += data.draw(st.sampled_from([[], [("rr", "123")], [("_", "1")], [("nocache", "x")]]))
    raw = "&".join(f"{k}={quote(v)}" for k, v in pairs) if is_raw else urlencode(pairs)

    plain = "10" if count == "10}" else count
    assert answered(parse_query(raw)) == _model(conditions, plain)


# ---------------------------------------------------------------------------------------- single rules
def test_ten_entries_of_four_days_are_the_default() -> None:
    """Without a query, and with parameters that are not of the grammar."""
    for raw in ("", "rr=5&_=7&token=x", "count="):
        query = parse_query(raw)
        assert (query.conditions, query.count_max) == ((), COUNT_DEFAULT)
        assert query.window(NOW)[0] == NOW - timedelta(days=4)


def test_a_count_of_zero_means_all_with_a_find_only() -> None:
    """GluPredKit asks so for everything."""
    assert parse_query("count=0").count_max == 0
    assert parse_query("count=0&find[dateString][$gte]=2026").count_max == COUNT_MAX
    assert parse_query("count=100000000").count_max == COUNT_MAX


@pytest.mark.parametrize(
    "raw",
    [
        "count=abc",
        "count=-1",
        "find[dateString][$gte]=yesterday",
        "find[date][$gt]=abc",
        "find[date][$gt]=nan",
        "find[date][$gte]=2026-13-01",
        "find[sgv][$where]=1",
        "find[direction][$regex]=(a%2B)%2B",
        "find[direction][$regex]=%5B",
        "find[direction][$regex]=.*.*.*x",
        "find[direction][$regex]=" + "a" * 101,
        "&".join(f"find[sgv][$ne]={n}" for n in range(21)),
    ],
)
def test_an_unreadable_query_is_an_error(raw: str) -> None:
    """The text of the error repeats no value."""
    with pytest.raises(QueryInvalid) as invalid:
        parse_query(raw)

    assert not re.search("abc|yesterday|13-01|where|aaa", str(invalid.value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1693526400000", 1_693_526_400_000),
        ("1693526400000.0", 1_693_526_400_000),
        ("2023-09-01", 1_693_526_400_000),
        ("2023-09-01T00:00:00.000Z", 1_693_526_400_000),
        ("2023-09-01T02:00:00+02:00", 1_693_526_400_000),
        ("2023-09-01T02:00:00 02:00", 1_693_526_400_000),  # The plus was not encoded.
        ("2023-08-31T17:00:00-0700", 1_693_526_400_000),
        ("2023-09-01 00:00:00", 1_693_526_400_000),
        ("2023-09", 1_693_526_400_000),
        ("2023", 1_672_531_200_000),
        ("1e999", 253_402_300_799_000),
    ],
)
def test_times_are_read_in_every_form_that_clients_send(text: str, expected: int) -> None:
    """Milliseconds, also as a float, and ISO texts from a year to a fraction of a second."""
    assert time_ms(text) == expected


def test_a_plain_number_is_milliseconds_for_date() -> None:
    """Four digits are a year in `dateString`, and milliseconds in `date`."""
    (of_date,) = parse_query("find[date][$gte]=2023").conditions
    (of_text,) = parse_query("find[dateString][$gte]=2023").conditions

    assert (of_date.values, of_text.values) == ((2023.0,), (1_672_531_200_000,))


def test_excluding_calibrations_hides_no_entry() -> None:
    """`find[type][$ne]=cal` hides no entry."""
    assert len(answered(parse_query("count=1000&find[type][$ne]=cal"))) == 96
    assert answered(parse_query("count=1000&find[type]=cal")) == []


def test_lists_are_read_in_each_form_of_brackets() -> None:
    """Commas, repeated names, empty brackets and numbered ones."""
    forms = [
        "find[direction][$in]=Flat,NONE",
        "find[direction][$in]=Flat&find[direction][$in]=NONE",
        "find[direction][$in][]=Flat&find[direction][$in][]=NONE",
        "find[direction][$in][0]=Flat&find[direction][$in][1]=NONE",
    ]
    found = [answered(parse_query(f"count=100&{form}")) for form in forms]

    assert found[0]
    assert all(each == found[0] for each in found)


def test_an_id_is_found_outside_the_default_window() -> None:
    """The window comes from the id; an invalid id matches nothing."""
    oldest = HISTORY[-1]
    assert answered(parse_query(f"find[_id]={oldest['_id']}")) == [oldest]
    assert answered(parse_query("find[_id]=nonsense")) == []


fragments = st.sampled_from(
    [
        "find",
        "[",
        "]",
        "[date]",
        "[$gt]",
        "[$in]",
        "[$regex]",
        "sgv",
        "=",
        "&",
        "%",
        "%5B",
        "count",
        "0",
        "-1",
        "$",
        "}",
    ]
)


@pytest.mark.fuzz
@given(st.lists(fragments | st.text(max_size=8), max_size=25).map("".join))
def test_any_query_is_answered_or_refused(raw: str) -> None:
    """Any text gives entries or QueryInvalid, and no other exception."""
    try:
        query = parse_query(raw)
    except QueryInvalid:
        return
    start, end = query.window(NOW)
    assert start.tzinfo is UTC or start.tzinfo is not None
    assert isinstance(answered(query), list)
    assert end is not None
