"""Ingestion throughput of one core, from the provider's JSON to the stored items, with production code."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.cost import POLL_INTERVAL_S, POLLS_PER_DAY, TODAY, sync
from benchmarks.measured import Measured
from benchmarks.plain import PlainReadingStore
from benchmarks.series import READINGS_PER_DAY, readings_of
from bg_ingest.providers.dexcom.responses import parse_egvs
from bg_ingest.sync.job import JobKind
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from benchmarks.tables import Tables
    from bg_ingest.providers.seam import Fetched, Span
    from bg_ingest.readings.model import Reading

SECTION = "Taking readings in, on one core"
POLL_CPU = "CPU of a poll"
_POLLED, _GIVEN_HISTORY = "polled-from-json", "given-history-from-json"


@dataclass(slots=True)
class JsonProvider:
    """A provider that answers with Dexcom's JSON and keeps its answers."""

    records: list[tuple[datetime, str]]
    clock: FakeClock
    answers: list[str]

    def readings(self, _: str, start: datetime, end: datetime) -> Fetched:
        """Return the readings measured by now, parsed as in the client."""
        end = min(end, self.clock.now())
        inside = ",".join(text for at, text in self.records if start <= at < end)
        self.answers.append(f'{{"recordType":"egv","userId":"somebody","records":[{inside}]}}')
        return parse_egvs(json.loads(self.answers[-1]), self.clock.now())

    def uploaded_since(self, _: str, __: datetime) -> Span | None:
        """Return None: a poll would see all data, and only a reconciliation asks."""
        return None


def taking_in(tables: Tables, days: int) -> list[Measured]:
    """Measure a day of polls and a whole history."""
    return [*_polls(tables), *_history(tables, days)]


def _polls(tables: Tables) -> list[Measured]:
    ours_s, plain_s = _polled_s(tables, plainly=False), _polled_s(tables, plainly=True)
    per_poll = 1_000 / POLLS_PER_DAY
    stored = [READINGS_PER_DAY / cpu_s for cpu_s in (ours_s, plain_s)]
    return [
        Measured(SECTION, POLL_CPU, ours_s * per_poll, "ms", None, plain_s * per_poll),
        Measured(SECTION, "stored by polls, a CPU second", stored[0], "readings", None, stored[1]),
    ]


def _polled_s(tables: Tables, *, plainly: bool) -> float:
    """Return the CPU time of a day of polls."""
    user_id, clock = f"{_POLLED}-{plainly}", FakeClock(TODAY)
    provider = _provider(readings_of(TODAY - timedelta(days=1), 2), clock)
    SyncStates(tables.users, clock).start_polling(user_id, POLL_INTERVAL_S, TODAY - timedelta(days=1))
    sync(tables, lambda *_: provider, clock, user_id, JobKind.BACKFILL, plainly=plainly)
    cpu_s = 0.0
    for _ in range(POLLS_PER_DAY):
        clock.advance(POLL_INTERVAL_S)
        began_s = time.process_time()
        sync(tables, lambda *_: provider, clock, user_id, JobKind.INCREMENTAL, plainly=plainly)
        cpu_s += time.process_time() - began_s
    return cpu_s


def _history(tables: Tables, days: int) -> list[Measured]:
    clock = FakeClock(TODAY)
    known = readings_of(TODAY - timedelta(days=days), days)
    provider = _provider(known, clock)
    SyncStates(tables.users, clock).start_polling(
        _GIVEN_HISTORY, POLL_INTERVAL_S, TODAY - timedelta(days=days)
    )
    tables.meter.reset()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    sync(tables, lambda *_: provider, clock, _GIVEN_HISTORY, JobKind.BACKFILL)
    took_s, ours_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    calls, asked = tables.meter.calls, len(provider.answers)
    part = _parsed(
        provider.answers[0], clock
    )  # The time of the newest window is the estimate for the others.
    tables.meter.reset()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    PlainReadingStore(tables.plain).save(_GIVEN_HISTORY, part, TODAY)
    times = len(known) / len(part)
    plain_took_s, plain_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    what = f"{days} days of history"
    return [
        Measured(
            SECTION,
            "stored from a history, a CPU second",
            len(known) / ours_s,
            "readings",
            None,
            len(part) / plain_s,
        ),
        Measured(SECTION, f"{what}: time", took_s, "s", None, plain_took_s * times),
        Measured(SECTION, f"{what}: calls to DynamoDB", calls, "calls", None, tables.meter.calls * times),
        Measured(SECTION, f"{what}: calls to Dexcom", asked, "calls"),
    ]


def _parsed(answer: str, clock: FakeClock) -> Sequence[Reading]:
    return parse_egvs(json.loads(answer), clock.now()).readings


def _provider(known: Sequence[Reading], clock: FakeClock) -> JsonProvider:
    return JsonProvider([(reading.at, json.dumps(_record(reading))) for reading in known], clock, [])


def _record(reading: Reading) -> dict[str, Any]:
    """Return a record in the format of version 3 of Dexcom's API."""
    device = reading.device
    display = reading.at + timedelta(minutes=reading.local_offset_minutes or 0)
    return {
        "recordId": reading.record_id,
        "systemTime": f"{reading.at:%Y-%m-%dT%H:%M:%SZ}",
        "displayTime": f"{display:%Y-%m-%dT%H:%M:%S}-07:00",
        "transmitterId": device.transmitter,
        "transmitterTicks": reading.transmitter_ticks,
        "value": reading.mg_dl,
        "status": reading.status,
        "trend": reading.trend,
        "trendRate": reading.trend_rate,
        "unit": "mg/dL",
        "rateUnit": "mg/dL/min",
        "displayDevice": device.display,
        "transmitterGeneration": device.generation,
        "transmitterGenerationVariant": device.generation,
        "displayApp": device.app,
    }
