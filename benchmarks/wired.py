"""Q1: a poll with everything it causes: provider client, vault, breaker, quota, refreshes, KMS."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx

from benchmarks.cost import POLL_INTERVAL_S, TODAY, sync
from benchmarks.measured import Measured
from benchmarks.series import readings_of
from benchmarks.tables import READINGS, USERS
from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import Vault
from bg_ingest.clock import rfc_3339
from bg_ingest.providers.dexcom.oauth import Application
from bg_ingest.providers.dexcom.provider import NAME, DexcomProvider
from bg_ingest.providers.dexcom.regions import TOKEN
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import FakeClock
from tests.support.logins import store_tokens

if TYPE_CHECKING:
    from benchmarks.tables import Tables
    from bg_ingest.readings.model import Reading
    from bg_ingest.sync.run import SourceOf

SECTION = "A poll with everything it causes, in a worker with ten users"
WRITES, READS, CALLS = "a poll: written", "a poll: read", "a poll: calls to DynamoDB"
KMS_REQUESTS = "a poll: requests to KMS"
USERS_POLLED, ROUNDS = 10, 32  # Eight hours: each user's token is refreshed four times.
ABOUT = f"""\
The wired provider over a transport without network: rate limiter, breaker, hourly quota, vault. The access
token has 1,200 characters and lives for two hours. {USERS_POLLED} users are polled in {ROUNDS} rounds.
"""
_URL = "https://api.dexcom.eu"
_TOKEN_CHARACTERS = 1_200
_BETWEEN_USERS_S = 0.6  # The pace of a process.


class CountedKms:
    """KMS in memory, which counts its requests."""

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}
        self.requests = 0

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        """Return a new key."""
        self.requests += 1
        wrapped, plain = os.urandom(184), os.urandom(32)  # As long as KMS's own.
        self._keys[wrapped] = plain
        return {"Plaintext": plain, "CiphertextBlob": wrapped}

    def decrypt(self, *, CiphertextBlob: bytes, **_: Any) -> dict[str, bytes]:  # noqa: N803 - KMS's name.
        """Return the key."""
        self.requests += 1
        return {"Plaintext": self._keys[CiphertextBlob]}


@dataclass(slots=True)
class Host:
    """Dexcom's token and data endpoints for one series of readings."""

    knows: list[Reading]
    clock: FakeClock
    refreshes: int = 0
    requests: int = field(default=0)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests += 1
        if request.url.path == TOKEN:
            self.refreshes += 1
            tokens = {"access_token": "a" * _TOKEN_CHARACTERS, "refresh_token": os.urandom(16).hex()}
            return httpx.Response(200, json=tokens | {"expires_in": 7_200})
        start, end = (
            datetime.fromisoformat(request.url.params[edge]).replace(tzinfo=UTC)
            for edge in ("startDate", "endDate")
        )
        end = min(end, self.clock.now())
        records = [_record(reading) for reading in self.knows if start <= reading.at < end]
        return httpx.Response(200, json={"recordType": "egv", "userId": "account", "records": records})


def polls(tables: Tables) -> list[Measured]:
    """Measure polls that bring readings."""
    clock, kms = FakeClock(TODAY), CountedKms()
    host = Host(readings_of(TODAY - timedelta(days=1), 2), clock)
    vault, source = _source(tables, clock, host, kms)
    users = [f"wired-{number:030}" for number in range(USERS_POLLED)]
    for user_id in users:
        _connect(tables, vault, clock, user_id)
        sync(tables, source, clock, user_id, JobKind.BACKFILL)
    tables.meter.reset()
    kms.requests = host.requests = host.refreshes = 0
    for _ in range(ROUNDS):
        for user_id in users:
            clock.advance(_BETWEEN_USERS_S)
            sync(tables, source, clock, user_id, JobKind.INCREMENTAL)
        clock.advance(POLL_INTERVAL_S - USERS_POLLED * _BETWEEN_USERS_S)
    count, meter = ROUNDS * USERS_POLLED, tables.meter
    return [
        Measured(SECTION, WRITES, (meter.written(READINGS) + meter.written(USERS)) / count, "WU", 3.3),
        Measured(SECTION, READS, (meter.read(READINGS) + meter.read(USERS)) / count, "RU", 3.5),
        Measured(SECTION, CALLS, meter.calls / count, "calls", 6),
        Measured(SECTION, "a poll: calls to Dexcom", host.requests / count, "calls"),
        Measured(SECTION, "a poll: token refreshes", host.refreshes / count, "refreshes"),
        Measured(SECTION, KMS_REQUESTS, kms.requests / count, "requests"),
    ]


def _source(tables: Tables, clock: FakeClock, host: Host, kms: CountedKms) -> tuple[Vault, SourceOf]:
    admission = admission_control(
        clock, breaker=SharedBreaker(tables.users, clock, _URL), quota=HourlyQuota(tables.users, clock)
    )
    client = polite_http(_URL, clock, admission=admission, inner=httpx.MockTransport(host))
    provider = DexcomProvider(
        http=lambda _: client,
        application=lambda: Application("id", "secret", "https://bg.example.org/oauth/callback"),
        clock=clock,
        base_url=_URL,
    )
    keys = DataKeys(cast("Any", kms), "key", "benchmark", clock, purpose=Purpose.TOKENS)
    connections = Connections(tables.users, clock)
    vault = Vault(connections, Sealer(keys), {NAME: provider})
    return vault, partial(ConnectedProvider, connections, vault, {NAME: provider})


def _connect(tables: Tables, vault: Vault, clock: FakeClock, user_id: str) -> None:
    tokens = Tokens("a" * _TOKEN_CHARACTERS, "refresh", clock.now() + timedelta(hours=2))
    since = TODAY - timedelta(days=1)
    store_tokens(vault, user_id, Endpoint(NAME, "eu"), tokens, data_from=since)
    SyncStates(tables.users, clock).start_polling(user_id, POLL_INTERVAL_S, since)


def _record(reading: Reading) -> dict[str, Any]:
    local = reading.at + timedelta(minutes=reading.local_offset_minutes or 0)
    return {
        "recordId": reading.record_id,
        "systemTime": rfc_3339(reading.at),
        "displayTime": local.strftime("%Y-%m-%dT%H:%M:%S"),
        "transmitterId": reading.device.transmitter,
        "transmitterTicks": reading.transmitter_ticks,
        "value": reading.mg_dl,
        "trend": reading.trend,
        "trendRate": reading.trend_rate,
        "unit": "mg/dL",
        "rateUnit": "mg/dL/min",
        "displayDevice": reading.device.display,
        "transmitterGeneration": reading.device.generation,
        "displayApp": reading.device.app,
    }
