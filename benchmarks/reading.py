"""H1 and H5: CPU time of answers, with the database in a process of its own."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.cost import GIVEN_HISTORY, TODAY
from benchmarks.measured import Measured, cpu_ms_of_each
from benchmarks.plain import PlainReadingStore
from benchmarks.tables import PLAIN, READINGS
from bg_ingest.access.audit import Audit
from bg_ingest.clock import SystemClock, rfc_3339
from bg_ingest.facades.native.reading_text import json_array
from bg_ingest.http_api import serving
from bg_ingest.http_api.answers import insight_response
from bg_ingest.readings.changes.change_feed import ChangeFeed
from bg_ingest.readings.changes.late_log import LateLog
from bg_ingest.readings.store import ReadingStore
from functions.query.app import build
from local.paths import CHECKOUT
from tests.functions.conftest import LambdaContext
from tests.support.fakes import FakeClock
from tests.support.grants import grants_in

if TYPE_CHECKING:
    from benchmarks.tables import Tables
    from bg_ingest.dynamo import Table

_BYTES_PER_UNIT = 4_096  # For a consistent read.
_PAGE_MAX = 1_000
_BUDGET_MS = 25
_API = serving.ApiSettings(user_id_claim="sub", public_url=None, return_urls=frozenset())


def requests(tables: Tables, repeats: int) -> list[Measured]:
    """Measure warm requests through the query function's routes, as its handler serves them."""
    clock = FakeClock(TODAY)
    audit, grants = Audit(tables.users, clock, 365), grants_in(tables.users, tables.intake, clock)
    store = ReadingStore(tables.readings, clock, 730)
    feed = ChangeFeed(store, LateLog(tables.users, clock), clock)
    ours = build(store, feed, audit, grants, clock, _API)
    # The plain store has the same methods.
    plain = build(PlainReadingStore(tables.plain), feed, audit, grants, clock, _API)  # type: ignore[arg-type]
    asked = {
        "latest": ("query_latest", {}),
        "one day (288 readings)": ("query_range", _range(1, 288)),
        "14 days, first page of 1,000": ("query_range", _range(14, _PAGE_MAX)),
        "90 days, first page of 1,000": ("query_range", _range(92, _PAGE_MAX)),
    }
    found = []
    for what, (name, query) in asked.items():
        asked_for = event(name, query)
        times_ms = cpu_ms_of_each([partial(_must_answer, app, asked_for) for app in (ours, plain)], repeats)
        found.append(Measured("CPU per warm request", what, times_ms[0], "ms", _BUDGET_MS, times_ms[1]))
    return found


def fortnight(tables: Tables, repeats: int) -> list[Measured]:
    """Measure 14 days, read completely and rendered as one response."""
    ours = ReadingStore(tables.readings, FakeClock(TODAY), 730)
    plain = PlainReadingStore(tables.plain)
    times_ms = cpu_ms_of_each([partial(_response, reading_store) for reading_store in (ours, plain)], repeats)
    read_mb = []
    for reading_store, table in ((ours, READINGS), (plain, PLAIN)):
        tables.meter.reset()
        _response(reading_store)
        read_mb.append(tables.meter.read(table) * _BYTES_PER_UNIT / 1_000_000)
    section = "14 days (4,032 readings) as one response"
    return [
        Measured(section, "read from DynamoDB", read_mb[0], "MB", 0.6, read_mb[1]),
        Measured(section, "our CPU", times_ms[0], "ms", 18, times_ms[1]),
        Measured(section, "an hour's item, mean", _item_bytes_mean(tables.readings), "bytes"),
    ]


def figures(tables: Tables, repeats: int) -> list[Measured]:
    """Measure K5: statistics and profile of the same days, from one reading of them."""
    section = "Statistics and profile together, one reading of the days"
    store, found = ReadingStore(tables.readings, FakeClock(TODAY), 730), []
    for days, budget_ms in ((14, 60), (92, 300)):
        (cpu_ms,) = cpu_ms_of_each([partial(_figures, store, days)], repeats)
        tables.meter.reset()
        text = _figures(store, days)
        units, size_kb = tables.meter.read(READINGS), len(gzip.compress(text.encode())) / 1_000
        found += [
            Measured(section, f"{days} days: CPU", cpu_ms, "ms", budget_ms),
            Measured(section, f"{days} days: read", units, "RU"),
            Measured(section, f"{days} days: both answers, compressed", size_kb, "kB"),
        ]
    return found


def _figures(reading_store: ReadingStore, days: int) -> str:
    asked = ((TODAY - timedelta(days=days - 1)).date().isoformat(), TODAY.date().isoformat())
    read = insight_response.read_days(reading_store, GIVEN_HISTORY, asked, TODAY)
    statistics, _ = insight_response.statistics_texts(read, TODAY, compared=False)
    profile, _ = insight_response.profile_texts(read, TODAY, 60)
    return statistics + profile


def _response(reading_store: ReadingStore | PlainReadingStore) -> str:
    return json_array(reading_store.columns(GIVEN_HISTORY, TODAY - timedelta(days=14), TODAY))


def _must_answer(app: Any, event: dict[str, Any]) -> None:
    answer = serving.serve(app, event, LambdaContext(), SystemClock())  # type: ignore[arg-type] # A part of one.
    if answer["statusCode"] != 200:
        raise RuntimeError(f"the benchmark's own request was answered with {answer['statusCode']}")


def _range(days: int, limit: int) -> dict[str, str]:
    return {"from": rfc_3339(TODAY - timedelta(days=days)), "to": rfc_3339(TODAY), "limit": str(limit)}


def event(name: str, query: dict[str, str]) -> dict[str, Any]:
    """Return a payload of events/ for the user with a history."""
    text = (CHECKOUT / "events" / f"{name}.json").read_text().replace("demo", GIVEN_HISTORY)
    payload: dict[str, Any] = json.loads(text)
    return payload | {"queryStringParameters": query} if query else payload


def _item_bytes_mean(table: Table) -> float:
    items = list(table.query("pk = :user", {":user": GIVEN_HISTORY}))
    sizes = [sum(len(name) + len(str(value)) for name, value in item.items()) for item in items]
    return sum(sizes) / len(sizes)
