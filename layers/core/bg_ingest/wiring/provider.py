"""Dexcom, put together: one HTTP client per region, the application's credentials, the vault."""

from __future__ import annotations

import math
from functools import cache, partial
from threading import Lock
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.accounts.connection import account_key
from bg_ingest.accounts.data_keys import DataKeys
from bg_ingest.accounts.quarantine import Quarantine
from bg_ingest.accounts.sealing import Sealer
from bg_ingest.accounts.vault import Vault
from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.oauth import Application, OAuth, Tokens
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.settings import settings
from bg_ingest.wiring import aws_clients, stores
from bg_ingest.wiring.credentials import CachedSecret, in_secrets_manager

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from bg_ingest.accounts.connection import Connection


# `cache` alone lets two threads that come first make one each, and two clients are twice as impatient as one.
_one_at_a_time = Lock()


def http(base_url: str) -> httpx.Client:
    """The connections to one region, as polite as all instances together have to be."""
    with _one_at_a_time:
        return _http(base_url)


@cache
def _http(base_url: str) -> httpx.Client:
    table, clock = stores.users_table(), stores.clock()
    admission = admission_control(clock, breaker=SharedBreaker(table, clock, base_url), quota=_quota())
    return polite_http(base_url, clock, admission=admission, observe=telemetry.call_observer())


@cache
def _quota() -> HourlyQuota:
    """This process's share of the application's budget, which is one for all regions."""
    return HourlyQuota(stores.users_table(), stores.clock(), observe=telemetry.measure_quota)


def application() -> Application:
    """The application as it is registered with Dexcom."""
    return _held().get()


@cache
def _held() -> CachedSecret[Application]:
    return CachedSecret(_read_application, stores.clock())


def _read_application() -> Application:
    own = settings()
    if own.secret_name is None:
        client_id, client_secret = own.dexcom_client_id, own.dexcom_client_secret.get_secret_value()
    else:
        held = in_secrets_manager(own.secret_name)
        client_id, client_secret = held["client_id"], held["client_secret"]
    return Application(client_id, client_secret, own.dexcom_redirect_uri)


def oauth(
    base_url: str, time_left_s: Callable[[], float] = lambda: math.inf, account_key: str | None = None
) -> OAuth:
    """Logging in at one region, and keeping somebody logged in."""
    return OAuth(http(base_url), application(), stores.clock(), time_left_s, account_key)


@cache
def _sealer() -> Sealer:
    own = settings()
    return Sealer(DataKeys(aws_clients.kms(), own.tokens_key_id, own.environment, stores.clock()))


def vault(time_left_s: Callable[[], float] = lambda: math.inf) -> Vault:
    """The tokens; a refresh that would outlast its caller's time is not begun."""
    return Vault(stores.connections(), _sealer(), partial(_refresh, time_left_s))


@cache
def quarantine() -> Quarantine:
    """The records that could not be read."""
    return Quarantine(stores.users_table(), _sealer(), stores.clock())


def client_for(connection: Connection, time_left_s: Callable[[], float] = lambda: math.inf) -> DexcomClient:
    """The data of one person's region, on their behalf and within the time the caller has left."""
    return DexcomClient(
        http(connection.endpoint.base_url),
        stores.clock(),
        time_left_s=time_left_s,
        subscriptions_path=settings().dexcom_subscriptions_path,
        account_key=account_key(connection),
    )


def _refresh(time_left_s: Callable[[], float], refresh_token: str, connection: Connection) -> Tokens:
    return oauth(connection.endpoint.base_url, time_left_s, account_key(connection)).refresh(refresh_token)
