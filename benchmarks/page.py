"""L4: the CPU time of a person's page, with the database in a process of its own."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from benchmarks.cost import CAUSE, POLL_INTERVAL_S, POLLS_PER_DAY, BenchmarkSource, sync
from benchmarks.measured import Measured, cpu_ms_of_each
from benchmarks.reading import event
from benchmarks.series import readings_of
from benchmarks.wired import CountedKms
from bg_ingest.access.audit import AuditOutcome
from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.clock import SystemClock
from bg_ingest.http_api import serving
from bg_ingest.http_api.pages.page_response import SESSION_COOKIE, for_people
from bg_ingest.providers.seam import Endpoint
from bg_ingest.signing_in.session import Sessions
from bg_ingest.sync.job import JobKind
from bg_ingest.sync.state import SyncStates
from bg_ingest.wiring import queue_parts
from bg_ingest.wiring.page_parts import page_acts
from bg_ingest.wiring.process import process
from functions.page.app import build
from tests.functions.conftest import LambdaContext
from tests.support.fakes import FakeClock
from tests.support.logins import save_login

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from benchmarks.tables import Tables
    from bg_ingest.http_api.pages.page_acts import PageActs

SECTION = "The page of a person"
HISTORY_DAYS = 92
ABOUT = f"""\
A warm request, compressed, of a person with {HISTORY_DAYS} days of history. The last day was polled every 15
minutes. The page has statistics and profile of 14 days, completeness of 92 days, and thirty jobs.
"""
_BUDGET_MS, _WIRE_BUDGET_KB = 60, 60
_PERSON = "at-the-page"
_API = serving.ApiSettings(user_id_claim="sub", public_url=None, return_urls=frozenset())
_LOOKS = 10


def warm(tables: Tables, repeats: int, history_days: int = HISTORY_DAYS) -> list[Measured]:
    """Measure the page as its function answers it, and its size."""
    acts = _acts(tables)
    _fill(tables, acts, history_days)
    cookie = acts.sessions.begin(_PERSON, _PERSON)
    visit = event("page_visitor", {})
    visit["headers"] |= {"cookie": f"{SESSION_COOKIE}={cookie}", "accept-encoding": "gzip"}
    app = build(acts, _no_sign_in, "https://api.dexcom.eu", _API)
    with redirect_stdout(io.StringIO()):  # The metrics.
        (cpu_ms,) = cpu_ms_of_each([partial(_page, app, visit)], repeats)
        body = _page(app, visit)
    return [
        Measured(SECTION, "CPU", cpu_ms, "ms", _BUDGET_MS),
        Measured(SECTION, "over the wire", len(body) * 3 / 4 / 1_000, "kB", _WIRE_BUDGET_KB),
    ]


def _page(app: Any, visit: dict[str, Any]) -> str:
    answer = for_people(serving.serve(app, visit, LambdaContext(), SystemClock(), raw_body=True))  # type: ignore[arg-type] # A part of one.
    if answer["statusCode"] != 200 or not answer["isBase64Encoded"]:
        raise RuntimeError(f"the benchmark's own request was answered with {answer['statusCode']}")
    body: str = answer["body"]
    return body


def _acts(tables: Tables) -> PageActs:
    """The collaborators of the function, with a KMS in memory."""
    settings, clock = process().settings, process().clock
    keys = DataKeys(cast("KMSClient", CountedKms()), "key", settings.environment, clock, purpose=Purpose.PAGE)
    return replace(process().part(page_acts), sessions=Sessions(Sealer(keys), tables.users, clock))


def _fill(tables: Tables, acts: PageActs, days: int) -> None:
    now = process().clock.now()
    clock = FakeClock(now - timedelta(days=1))
    provider = BenchmarkSource(readings_of(now - timedelta(days=days), days), clock, [])
    SyncStates(tables.users, clock).start_polling(_PERSON, POLL_INTERVAL_S, now - timedelta(days=days))
    sync(tables, lambda *_: provider, clock, _PERSON, JobKind.BACKFILL)
    for _ in range(POLLS_PER_DAY):
        clock.advance(POLL_INTERVAL_S)
        sync(tables, lambda *_: provider, clock, _PERSON, JobKind.INCREMENTAL)
    connections = process().part(queue_parts.connections)
    nowhere = Endpoint("dexcom", "custom")
    save_login(connections, _PERSON, nowhere, b"sealed", data_from=now - timedelta(days=days))
    acts.sources.grants.create(_PERSON, "my doctor", list(Category), GrantDays(last=14))
    audit = acts.sources.audit
    for _ in range(_LOOKS):
        entry = audit.new_entry(
            _PERSON, actor="a-clinic", action="GET /api/bg/{userId}", correlation_id=CAUSE
        )
        audit.save(entry, AuditOutcome.DONE)


def _no_sign_in() -> Any:
    raise RuntimeError("the benchmark does not sign in")
