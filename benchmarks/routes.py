"""H1: CPU time and latency of every route, with its function's own wiring."""

from __future__ import annotations

import importlib
import io
import os
import statistics
import time
from contextlib import redirect_stdout
from datetime import timedelta

from benchmarks.cold_start import other_services
from benchmarks.cost import GIVEN_HISTORY
from benchmarks.measured import Measured
from benchmarks.reading import event
from bg_ingest.clock import SystemClock
from bg_ingest.providers.seam import Endpoint
from bg_ingest.wiring import queue_parts
from bg_ingest.wiring.process import process
from tests.functions.conftest import LambdaContext
from tests.support.logins import save_login

CPU_SECTION = "CPU of a warm request, by route"
LATENCY_SECTION = "Time of a warm request, 99th percentile, by route"
CPU_BUDGET_MS, LATENCY_BUDGET_MS = 25, 200
# K5: fourteen days and, with `compare`, the fourteen before.
STATISTICS_BUDGET_MS = 60
# Payloads of events/, without the routes that call Dexcom, whose answer decides their time.
ASKED = (
    "query_latest",
    "query_range",
    "query_range_csv",
    "query_audit",
    "insight_statistics",
    "insight_profile",
    "export_users",
    "grants_list",
    "sync_state",
    "sync_jobs",
    "sync_completeness",
    "sync_start_async",
    "sync_reconcile",
    "sync_settings",
    "connect_start",
    "connect_state",
    "site_health",
    "site_ready",
    "site_openapi",
    "site_docs",
)


def by_route(repeats: int) -> list[Measured]:
    """Measure the CPU time of each route, then the latency of each."""
    # A queued sync first checks that the user is connected.
    now, nowhere = SystemClock().now(), Endpoint("dexcom", "custom")
    connections = process().part(queue_parts.connections)
    save_login(connections, GIVEN_HISTORY, nowhere, b"sealed", data_from=now - timedelta(days=90))
    with other_services() as others, redirect_stdout(io.StringIO()):  # The functions' metrics.
        os.environ.update(others)  # noqa: TID251 - before the client of SQS reads it.
        found = [(name, *_timed(name, repeats)) for name in ASKED]
    return [
        *(Measured(CPU_SECTION, name, cpu_ms, "ms", _cpu_budget_ms(name)) for name, cpu_ms, _ in found),
        *(Measured(LATENCY_SECTION, name, took_ms, "ms", LATENCY_BUDGET_MS) for name, _, took_ms in found),
    ]


def _cpu_budget_ms(name: str) -> int:
    return STATISTICS_BUDGET_MS if name.startswith("insight") else CPU_BUDGET_MS


def _timed(name: str, repeats: int) -> tuple[float, float]:
    """Return the median CPU time, and the second slowest of a hundred requests."""
    handler = importlib.import_module(f"functions.{name.partition('_')[0]}.app").lambda_handler
    cpu_ms, took_ms = [], []
    for n in range(repeats + 1):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        answer = handler(event(name, {}), LambdaContext())
        if answer["statusCode"] >= 400:
            raise RuntimeError(f"{name} was answered with {answer['statusCode']}")
        if n:  # The first run is slower than the others.
            cpu_ms.append((time.process_time() - began_cpu_s) * 1_000)
            took_ms.append((time.perf_counter() - began_s) * 1_000)
    return statistics.median(cpu_ms), statistics.quantiles(took_ms, n=100, method="inclusive")[98]
