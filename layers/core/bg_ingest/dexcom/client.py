"""
Dexcom's data endpoints.

The client reads like Dexcom's documentation and knows nothing of failure: give it an httpx.Client over a
PoliteTransport, and pace, retries and breaker are taken care of; over a plain one it works all the same.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.dexcom import paths
from bg_ingest.dexcom.answers import Egvs, data_range_of, devices_of, egvs_of
from bg_ingest.dexcom.asking import bearer, json_of, send
from bg_ingest.dexcom.exchange import Call
from bg_ingest.dexcom.ranges import windows
from bg_ingest.dexcom.refusals import refusal
from bg_ingest.dexcom.subscriptions import Subscriptions
from bg_ingest.dexcom.times import with_zone, without_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import httpx

    from bg_ingest.clock import Clock
    from bg_ingest.dexcom.answers import DataRange, KnownDevice

# Dexcom's answers for an older lastSyncTime are wrong (observed).
_LAST_SYNC_MAX = timedelta(days=30)


class DexcomClient:
    """One person's data at one host, by their access token; thread-safe, as its httpx.Client is."""

    def __init__(
        self,
        http: httpx.Client,
        clock: Clock,
        *,
        time_left_s: Callable[[], float] = lambda: math.inf,
        subscriptions_path: str | None = None,
        whose: str | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._time_left_s = time_left_s
        self._whose = whose
        self.subscriptions = Subscriptions(http, clock, subscriptions_path, time_left_s, whose)

    def egvs(self, access_token: str, start: datetime, end: datetime) -> Egvs:
        """The glucose values of [start, end), however long that is."""
        return sum(self.egvs_by_window(access_token, start, end), Egvs())

    def egvs_by_window(self, access_token: str, start: datetime, end: datetime) -> Iterator[Egvs]:
        """The same window by window, oldest first, for those who store as they go."""
        for first, until in windows(start, end):
            query = {"startDate": without_zone(first), "endDate": without_zone(until)}
            document = self._get("egvs", paths.EGVS, access_token, query)
            yield egvs_of(document, self._clock.now())

    def data_range(self, access_token: str, last_sync_time: datetime | None = None) -> DataRange:
        """From when to when there is data; with `last_sync_time`, of what was uploaded after it."""
        query = {}
        if last_sync_time and self._clock.now() - last_sync_time < _LAST_SYNC_MAX:
            query["lastSyncTime"] = with_zone(last_sync_time)
        return data_range_of(self._get("data_range", paths.DATA_RANGE, access_token, query))

    def devices(self, access_token: str) -> tuple[KnownDevice, ...]:
        """The devices that upload for this person."""
        return devices_of(self._get("devices", paths.DEVICES, access_token, {}))

    def _get(self, operation: str, path: str, access_token: str, query: dict[str, str]) -> dict[str, Any]:
        response = send(
            self._http,
            "GET",
            path,
            Call(operation, path, self._time_left_s, self._whose),
            params=query,
            headers=bearer(access_token),
        )
        refused = refusal(response, operation, self._clock.now())
        if refused:
            raise refused
        return json_of(response, operation)
