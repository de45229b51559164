"""The providers, registered by name, and the vault for their tokens."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.accounts.quarantine import Quarantine
from bg_ingest.accounts.sealing import Purpose
from bg_ingest.accounts.vault import Vault
from bg_ingest.aws.cached_secret import CachedSecret
from bg_ingest.providers.dexcom.oauth import Application
from bg_ingest.providers.dexcom.provider import NAME as DEXCOM
from bg_ingest.providers.dexcom.provider import DexcomProvider
from bg_ingest.providers.dexcom.regions import base_url
from bg_ingest.providers.http.admission import RateLimiter, RateRules
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.quota import HourlyQuota, QuotaRules
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.nightscout.nightscout_provider import NightscoutProvider
from bg_ingest.providers.nightscout.site_http import SiteHttp
from bg_ingest.providers.nightscout.site_login import OWN_SITE, SiteLogin
from bg_ingest.settings import Environment
from bg_ingest.telemetry import metrics
from bg_ingest.wiring.access.sealing_parts import sealer
from bg_ingest.wiring.access.secret_parts import read_json_secret
from bg_ingest.wiring.process import users_table
from bg_ingest.wiring.queue_parts import connections

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from bg_ingest.providers.seam import Provider
    from bg_ingest.wiring.process import Process


def providers(own: Process) -> Mapping[str, Provider]:
    """All providers by name."""
    every: tuple[Provider, ...] = (own.part(dexcom), own.part(nightscout))
    return {provider.name: provider for provider in every}


def dexcom(own: Process) -> DexcomProvider:
    """Dexcom, with one HTTP client per region."""
    return DexcomProvider(
        http=partial(own.part, _http),  # type: ignore[arg-type] # mypy infers no TypeVarTuple.
        application=CachedSecret(partial(_read_application, own), own.clock).get,
        clock=own.clock,
        base_url=base_url(own.settings.dexcom_api_base_url),
        subscriptions_path=own.settings.dexcom_subscriptions_path,
    )


def nightscout(own: Process) -> NightscoutProvider:
    """Nightscout, with a server for each user; on a development machine it may be that machine."""
    development = own.settings.environment is Environment.DEVELOPMENT
    observe = telemetry.call_observer(OWN_SITE.provider, one_host=False)
    http = SiteHttp(own.clock, observe, any_address=development)
    return NightscoutProvider(SiteLogin(http, own.clock, https_only=not development))


def vault(own: Process) -> Vault:
    """The tokens of all connections."""
    return Vault(own.part(connections), sealer(own, Purpose.TOKENS), own.part(providers))


def quarantine(own: Process) -> Quarantine:
    """The rejected records."""
    return Quarantine(own.part(users_table), sealer(own, Purpose.QUARANTINE), own.clock)


def _http(own: Process, region_url: str) -> httpx.Client:
    """The one client of a region: two would call twice as fast as allowed."""
    admission = admission_control(
        own.clock,
        rate_limiter=RateLimiter(own.clock, RateRules(own.settings.dexcom_calls_per_minute)),
        breaker=SharedBreaker(own.part(users_table), own.clock, region_url, circuit_rules(own)),
        quota=own.part(_quota),
    )
    return polite_http(region_url, own.clock, admission=admission, observe=telemetry.call_observer(DEXCOM))


def circuit_rules(own: Process) -> CircuitRules:
    """When the circuit of a host opens, and for how long."""
    return CircuitRules(
        failure_rate=own.settings.breaker_failure_percent / 100,
        calls_min=own.settings.breaker_calls_min,
        recovery=timedelta(seconds=own.settings.breaker_recovery_seconds),
    )


def _quota(own: Process) -> HourlyQuota:
    """This process's share of the application's budget, which is one for all regions."""
    rules = QuotaRules(own.settings.dexcom_calls_per_hour)
    observe = partial(telemetry.measure, metrics.QUOTA_USED)
    return HourlyQuota(own.part(users_table), own.clock, rules, observe=observe)


def _read_application(own: Process) -> Application:
    settings = own.settings
    if settings.secret_name is None:
        client_id, client_secret = settings.dexcom_client_id, settings.dexcom_client_secret.get_secret_value()
    else:
        members = read_json_secret(own, settings.secret_name)
        client_id, client_secret = members["client_id"], members["client_secret"]
    return Application(client_id, client_secret, settings.dexcom_redirect_uri)
