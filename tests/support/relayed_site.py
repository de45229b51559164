"""A Nightscout that serves the readings of a test source: the engine runs over its provider."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.nightscout.nightscout_provider import NightscoutProvider
from bg_ingest.providers.nightscout.site_client import ENTRIES, HISTORY, HISTORY_ENTRIES
from bg_ingest.providers.nightscout.site_http import SiteHttp
from bg_ingest.providers.nightscout.site_login import SiteCredential, SiteLogin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import ProviderAccount
    from bg_ingest.readings.model import Reading
    from bg_ingest.sync.run import Source

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class RelayedSites(httpx.BaseTransport):
    """One server for each user of a source; its access token is the user's id. Failures pass through."""

    source: Source
    clock: Clock

    def provider(self) -> NightscoutProvider:
        """The provider of a process, which does not retry: the tests count calls and choose failures."""
        http = SiteHttp(
            self.clock,
            resolve=lambda _, __: ["93.184.215.14"],
            inner=lambda: self,
            policy=Policy(attempts_max=1),
        )
        return NightscoutProvider(SiteLogin(http, self.clock, https_only=True))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as Nightscout does."""
        user_id, path, query = (
            request.headers["authorization"].split()[1],
            request.url.path,
            request.url.params,
        )
        if path == ENTRIES:
            start, end = (_instant(int(query[f"find[date][{edge}]"])) for edge in ("$gte", "$lt"))
            entries = as_entries(self.source.readings(user_id, start, end).readings)
            newest_first = sorted(entries, key=lambda entry: -entry["date"])
            return _answer(newest_first[: int(query["count"])])
        since_ms = int(path.removeprefix(HISTORY))
        span = self.source.uploaded_since(user_id, _instant(since_ms))
        if span is None:
            return _answer([])
        changed = as_entries(self.source.readings(user_id, span.start, span.end + _SECOND).readings)
        # Nothing is known of the order of the uploads, so all of them are of now.
        modified_ms = math.ceil(self.clock.now().timestamp() * 1000)
        assert len(changed) < HISTORY_ENTRIES or since_ms < modified_ms
        return _answer([entry | {"srvModified": modified_ms} for entry in changed])


@dataclass(frozen=True)
class SiteTokens:
    """A vault without secrets: the access token is the user's server with the user's id."""

    def valid_token(self, connection: Connection, *, rejected: str | None = None) -> str:
        """A token other than the rejected one; these servers reject none."""
        assert rejected is None
        user_id = connection.user_id
        return SiteCredential(f"https://{user_id}.example.org", user_id).as_text()

    def refreshed_token(self, _: Connection, __: ProviderAccount) -> str:
        """Never called: every token is valid."""
        raise AssertionError


def as_entries(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """Readings as Nightscout's entries."""
    return [
        {
            "_id": f"{int(reading.at.timestamp()):024x}",
            "type": "sgv",
            "date": int(reading.at.timestamp()) * 1000 + 250,
            "sgv": reading.mg_dl,
            "device": reading.device.display,
        }
        for reading in readings
    ]


def _answer(document: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(document), headers={"content-type": "application/json"})


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
