"""Nightscout as a provider of the service."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import ContractBroken, TryLater
from bg_ingest.providers.nightscout.entry_parser import NAME, date_ms_of, fetched_of
from bg_ingest.providers.nightscout.site_client import SiteClient
from bg_ingest.providers.nightscout.site_login import SiteCredential
from bg_ingest.providers.seam import Capabilities, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.providers.nightscout.site_login import SiteLogin
    from bg_ingest.providers.seam import Fetched, ProviderAccount

_CAPABILITIES = Capabilities(
    push=False,
    upload_times=True,
    window_max=timedelta(days=10),
    poll_interval_s_min=300,
    own_server=True,
    relays=True,
)
# A window that ends this late is a poll's or a reconciliation's, which also ask what was changed.
_RECENT = timedelta(hours=1)
# How far back such a window asks. A day between two reconciliations and their margin are two days.
_CHANGES_MAX = timedelta(days=4)
# A server whose version is raised gets its history within an hour of its next process.
_SERVERS_KNOWN_MAX = 1_000


@dataclass(frozen=True, slots=True)
class NightscoutProvider:
    """Nightscout, with a server for each user."""

    login: SiteLogin
    # Addresses without API v3. Asking them again would cost each poll a call.
    _without_history: dict[str, None] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def name(self) -> str:
        """The name that connections store."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What Nightscout offers."""
        return _CAPABILITIES

    def readings(
        self, account: ProviderAccount, access_token: str, start: datetime, end: datetime
    ) -> Fetched:
        """All readings measured in `[start, end)`; near the present also recent edits and deletions."""
        credential, now = SiteCredential.of(access_token), self.login.clock.now()
        with closing(self.login.http(credential.address)) as http:
            site = SiteClient(http, self.login.clock.now, account.time_left_s, account.account_key)
            listed = site.entries(credential.secret, _ms(start), _ms(end))
            changed: list[Any] = []
            if end >= now - _RECENT:
                since_ms = _ms(max(start, now - _CHANGES_MAX)) + listed.skew_ms
                try:
                    changed = self._history(site, credential, since_ms) or []
                except TryLater:
                    # The next poll asks for the same changes. The newest readings must not wait for them.
                    changed = []
        return fetched_of([*listed.entries, *changed], now)

    def uploaded_since(self, account: ProviderAccount, access_token: str, since: datetime) -> Span | None:
        """The span of entries created, edited or deleted since then; None without any, or without API v3."""
        credential = SiteCredential.of(access_token)
        with closing(self.login.http(credential.address)) as http:
            site = SiteClient(http, self.login.clock.now, account.time_left_s, account.account_key)
            changed = self._history(site, credential, max(_ms(since), 1))
        parsed = fetched_of(changed or [], self.login.clock.now())
        instants = [reading.at for reading in (*parsed.readings, *parsed.removed)]
        return Span(min(instants), max(instants)) if instants else None

    def parse_pushed(self, data: Mapping[str, Any], now: datetime) -> Fetched:
        """The entries that a webhook carried, in Nightscout's own form."""
        entries = data.get("records")
        if not isinstance(entries, list):
            raise ContractBroken("the webhook has no list of records")
        return fetched_of(entries, now)

    def _history(self, site: SiteClient, credential: SiteCredential, since_ms: int) -> list[Any] | None:
        if credential.address in self._without_history:
            return None
        changed = site.history(credential.secret, since_ms)
        if changed is None:
            with self._lock:
                if len(self._without_history) >= _SERVERS_KNOWN_MAX:
                    self._without_history.clear()
                self._without_history[credential.address] = None
            return None
        return [entry for entry in changed if date_ms_of(entry) is not None]


def _ms(instant: datetime) -> int:
    return round(instant.astimezone(UTC).timestamp() * 1000)
