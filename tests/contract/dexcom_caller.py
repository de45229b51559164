"""The Dexcom client and a simulated Dexcom that counts the calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.providers.dexcom import Application, ClientMetrics, DexcomClient, OAuth, polite_http
from dexcom_sim.in_process import InProcessTransport
from dexcom_sim.simulator import SimulatedDexcom
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from bg_ingest.providers.dexcom import Fetched, Tokens
    from bg_ingest.readings.model import Reading
    from dexcom_sim.faults import Fault

PERSON = "SandboxUser7"
SUBSCRIPTIONS_PATH = "/v3/users/self/subscriptions"
CALLBACK = "https://service.test/oauth/callback"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Caller:
    """A client, the simulated Dexcom that it calls, and the clock of both."""

    world: SimulatedDexcom
    clock: FakeClock
    client: DexcomClient
    oauth: OAuth
    metrics: ClientMetrics
    tokens: Tokens

    @property
    def calls(self) -> int:
        """The number of calls since the user connected."""
        total: int = self.world.calls.report()["total"]
        return total

    @property
    def now(self) -> datetime:
        """The time of the shared clock."""
        return self.clock.now()

    def order(self, fault: Fault) -> None:
        """Inject a fault."""
        self.world.add_fault(fault)

    def code(self, user: str) -> str:
        """The authorization code of a user who has just consented."""
        return self.world.consents.grant_code(user, CALLBACK)

    def egvs(self, start: datetime | None = None, end: datetime | None = None) -> Fetched:
        """The glucose values of this range, by default of the last day."""
        return self.client.egvs(self.tokens.access_token, start or self.now - DAY, end or self.now)

    def readings(self, start: datetime | None = None, end: datetime | None = None) -> list[Reading]:
        """The readings of the range in the order of time; fails if a record was rejected."""
        egvs = self.egvs(start, end)
        assert egvs.reasons == ()
        return sorted(egvs.readings, key=lambda reading: (reading.at, reading.device.display or ""))


def connected(upload_delay_s: int = 0, subscriptions_path: str | None = None) -> Caller:
    """A user who has just connected, at noon."""
    clock, metrics = FakeClock(datetime(2026, 4, 26, 12, tzinfo=UTC)), ClientMetrics()
    world = SimulatedDexcom(clock=clock, upload_delay_s=upload_delay_s, subscriptions_path=subscriptions_path)
    http = polite_http("http://dexcom.sim", clock, observe=metrics.observe, inner=InProcessTransport(world))
    application = Application(world.application.client_id, world.application.client_secret, CALLBACK)
    oauth = OAuth(http, application, clock)
    tokens = oauth.exchange(world.consents.grant_code(PERSON, CALLBACK))
    world.calls.clear()
    client = DexcomClient(http, clock, subscriptions_path=subscriptions_path)
    return Caller(world, clock, client, oauth, metrics, tokens)
