"""The providers, registered by name, and the vault for their tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.accounts.cached_secret import CachedSecret
from bg_ingest.accounts.data_keys import DataKeys
from bg_ingest.accounts.quarantine import Quarantine
from bg_ingest.accounts.sealing import Sealer
from bg_ingest.accounts.vault import Vault
from bg_ingest.providers.dexcom.oauth import Application
from bg_ingest.providers.dexcom.provider import DexcomProvider
from bg_ingest.providers.dexcom.regions import base_url
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.wiring import aws_clients
from bg_ingest.wiring.process import users_table
from bg_ingest.wiring.queue_parts import connections
from bg_ingest.wiring.secret_parts import read_json_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from bg_ingest.providers.seam import Provider
    from bg_ingest.wiring.process import Process


def providers(own: Process) -> Mapping[str, Provider]:
    """All providers by name."""
    every: tuple[Provider, ...] = (own.part(dexcom),)
    return {provider.name: provider for provider in every}


def dexcom(own: Process) -> DexcomProvider:
    """Dexcom, with one HTTP client per region."""
    return DexcomProvider(
        http=partial(_http, own),
        application=CachedSecret(partial(_read_application, own), own.clock).get,
        clock=own.clock,
        base_url=base_url(own.settings.dexcom_api_base_url),
        subscriptions_path=own.settings.dexcom_subscriptions_path,
    )


def vault(own: Process) -> Vault:
    """The tokens of all connections."""
    return Vault(own.part(connections), own.part(_sealer), own.part(providers))


def quarantine(own: Process) -> Quarantine:
    """The rejected records."""
    return Quarantine(own.part(users_table), own.part(_sealer), own.clock)


def _http(own: Process, region_url: str) -> httpx.Client:
    clients = own.part(_http_clients)
    with own.lock:  # Two clients of one region would call twice as fast as allowed.
        if region_url not in clients:
            admission = admission_control(
                own.clock,
                breaker=SharedBreaker(own.part(users_table), own.clock, region_url),
                quota=own.part(_quota),
            )
            clients[region_url] = polite_http(
                region_url, own.clock, admission=admission, observe=telemetry.call_observer()
            )
    return clients[region_url]


def _http_clients(_: Process) -> dict[str, httpx.Client]:
    return {}


def _quota(own: Process) -> HourlyQuota:
    """This process's share of the application's budget, which is one for all regions."""
    return HourlyQuota(own.part(users_table), own.clock, observe=telemetry.measure_quota)


def _read_application(own: Process) -> Application:
    settings = own.settings
    if settings.secret_name is None:
        client_id, client_secret = settings.dexcom_client_id, settings.dexcom_client_secret.get_secret_value()
    else:
        members = read_json_secret(own, settings.secret_name)
        client_id, client_secret = members["client_id"], members["client_secret"]
    return Application(client_id, client_secret, settings.dexcom_redirect_uri)


def _sealer(own: Process) -> Sealer:
    kms = aws_clients.kms(own.settings.aws_region)
    return Sealer(DataKeys(kms, own.settings.tokens_key_id, own.settings.environment, own.clock))
