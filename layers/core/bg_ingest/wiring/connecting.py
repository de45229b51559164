"""The connecting desk, put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import Endpoint
from bg_ingest.connecting.flow import ConnectDeps
from bg_ingest.providers.dexcom import regions
from bg_ingest.settings import settings
from bg_ingest.wiring import provider, stores

if TYPE_CHECKING:
    from bg_ingest.providers.dexcom.oauth import Tokens


@cache
def deps() -> ConnectDeps:
    """The desk of this process."""
    own = settings()
    base_url = regions.base_url(own.dexcom_api_base_url)
    return ConnectDeps(
        logins=stores.logins(),
        provider=_Login(base_url),
        endpoint=Endpoint("dexcom", regions.region_of(base_url), base_url),
        vault=provider.vault(),
        connections=stores.connections(),
        audit=stores.audit(),
        states=stores.states(),
        jobs=stores.jobs(),
        send=stores.queue().send,
        clock=stores.clock(),
        # What would not be kept is not fetched: its days would be on record as days without readings.
        history=timedelta(days=min(own.backfill_days_max, own.retention_days)),
    )


@dataclass(frozen=True, slots=True)
class _Login:
    """The provider's side of a login, with the credentials of the moment and not of this process's start."""

    base_url: str

    def authorize_url(self, state: str) -> str:
        return provider.oauth(self.base_url).authorize_url(state)

    def exchange(self, code: str) -> Tokens:
        return provider.oauth(self.base_url).exchange(code)
