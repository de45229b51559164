"""One stack that follows another through its Nightscout facade, both in memory."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.accounts.connection import Connections
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.http_api import serving
from bg_ingest.http_api.nightscout_http import NightscoutSite
from bg_ingest.providers.nightscout.nightscout_provider import NightscoutProvider
from bg_ingest.providers.nightscout.site_http import SiteHttp
from bg_ingest.providers.nightscout.site_login import OWN_SITE, SiteLogin
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from local.paths import CHECKOUT
from tests.contract.test_nightscout_sync import SiteVault
from tests.functions.conftest import LambdaContext
from tests.support.grants import grants_in
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.own_sites import PUBLIC_IP

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock

FOLLOWED, FOLLOWER = "grace", "ada"
MINUTE = timedelta(minutes=1)
TRENDS = ("flat", "singleUp", "doubleDown", "fortyFiveUp", "notComputable", "none")
EVENT: dict[str, Any] = json.loads(
    (CHECKOUT / "events" / "nightscout_status.json").read_text(encoding="utf-8")
)


def _table(memory: MemoryDynamo, name: str) -> Table:
    return Table(memory, name)  # type: ignore[arg-type]  # A stand-in for the client.


@dataclass
class FollowedFacade(httpx.BaseTransport):
    """The followed stack: its readings, a grant, and the facade as its function serves it."""

    clock: FakeClock
    random: Random = field(default_factory=lambda: Random(21))  # noqa: S311 - every run must be the same.

    def __post_init__(self) -> None:
        memory = MemoryDynamo()
        self.store = ReadingStore(_table(memory, "readings"), self.clock, 730)
        self.grants = grants_in(_table(memory, "users"), _table(memory, "intake"), self.clock)
        self.site = NightscoutSite(self.store, self.grants, self.clock)
        self.waiting: list[Reading] = []
        self.measured: list[Reading] = []

    def grant(self) -> str:
        """The token of a new grant."""
        return self.grants.create(FOLLOWED, "stack", [Category.READINGS], GrantDays())[1]

    def measure(self) -> None:
        """Measure one value; one in nine is lost, and the phone uploads in bursts of up to an hour."""
        now, chance = self.clock.now(), self.random
        if chance.random() > 1 / 9:
            value = chance.randint(38, 402)
            low, high = value < 40, value > 400
            self.waiting.append(
                Reading(
                    now.replace(microsecond=0) - timedelta(seconds=chance.randrange(20)),
                    39 if low else 401 if high else value,
                    chance.choice(TRENDS),
                    status="low" if low else "high" if high else None,
                    local_offset_minutes=345,
                    device=Device("g7", "iOS", "G7"),
                )
            )
        if chance.random() < 1 / 4:
            self.store.save(FOLLOWED, self.waiting, now)
            self.measured += self.waiting
            self.waiting.clear()

    def correct(self) -> None:
        """The provider of the followed stack corrects one reading of the day."""
        corrected = self.random.choice(self.measured)
        self.store.save(
            FOLLOWED, [replace(corrected, mg_dl=123, status=None, trend="flat")], self.clock.now()
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response of the facade's function."""
        http = EVENT["requestContext"]["http"] | {"method": request.method, "path": request.url.path}
        event = EVENT | {
            "rawPath": request.url.path,
            "rawQueryString": request.url.query.decode("ascii"),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "requestContext": EVENT["requestContext"] | {"http": http},
        }
        answer = serving.serve(self.site, event, LambdaContext(), self.clock, raw_body=True)  # type: ignore[arg-type]
        body = answer.get("body") or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return httpx.Response(int(answer["statusCode"]), headers=answer["headers"], content=content)


@dataclass
class FollowingStack:
    """The stack that polls the other one."""

    upstream: FollowedFacade

    def __post_init__(self) -> None:
        clock = self.clock = self.upstream.clock
        http = SiteHttp(clock, resolve=lambda _, __: [PUBLIC_IP], inner=lambda: self.upstream)
        self.provider = NightscoutProvider(SiteLogin(http, clock, https_only=True))
        tokens = self.provider.login.check("https://bg.example.org", self.upstream.grant(), lambda: 25.0)
        self.vault = SiteVault(self.provider, tokens, clock)
        memory = MemoryDynamo()
        users = _table(memory, "users")
        self.connections = Connections(users, clock)
        self.stores = Stores(
            SyncStates(users, clock, 300),
            Jobs(users, clock),
            ReadingStore(_table(memory, "readings"), clock, 730),
            CompletenessStore(users, clock),
            lambda _, rejected: len(list(rejected)),
        )
        begin = clock.now() - timedelta(days=2)
        save_login(self.connections, FOLLOWER, OWN_SITE, b"sealed", data_from=begin, relays=True)
        self.stores.states.start_polling(FOLLOWER, 300, begin, relays=True)

    def sync(self, kind: JobKind = JobKind.INCREMENTAL) -> JobStatus:
        """Carry out an order; return how it ended."""
        providers = {self.provider.name: self.provider}
        source = partial(ConnectedProvider, self.connections, self.vault, providers)
        order = Order(FOLLOWER, new_id(self.clock.now()), kind, Trigger.CONNECTION, "id")
        result = sync_user(
            order, stores=self.stores, source=source, clock=self.clock, time_left_s=lambda: 110.0
        )
        assert result.job
        return result.job.status
