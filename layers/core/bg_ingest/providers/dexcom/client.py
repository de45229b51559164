"""
Dexcom's data endpoints.

The client reads like Dexcom's documentation and knows nothing of failure: give it an httpx.Client over a
PoliteTransport, and pace, retries and breaker are taken care of; over a plain one it works all the same.
"""

from __future__ import annotations

import math
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.dexcom.regions import DATA_RANGE, DEVICES, EGVS
from bg_ingest.providers.dexcom.responses import parse_data_range, parse_devices, parse_egvs
from bg_ingest.providers.dexcom.subscriptions import Subscriptions
from bg_ingest.providers.dexcom.times import with_zone, without_zone
from bg_ingest.providers.http.call_record import Call
from bg_ingest.providers.http.send import bearer_header, parse_json_object, send
from bg_ingest.providers.http.statuses import error_for
from bg_ingest.providers.seam import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import httpx

    from bg_ingest.clock import Clock
    from bg_ingest.providers.dexcom.responses import DataRange, KnownDevice


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
        account_key: str | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._time_left_s = time_left_s
        self._whose = account_key
        self.subscriptions = Subscriptions(http, clock, subscriptions_path, time_left_s, account_key)

    def egvs(self, access_token: str, start: datetime, end: datetime) -> Fetched:
        """The glucose values of [start, end), however long that is."""
        return sum(self.egvs_by_window(access_token, start, end), Fetched())

    def egvs_by_window(self, access_token: str, start: datetime, end: datetime) -> Iterator[Fetched]:
        """The same window by window, oldest first, for those who store as they go."""
        for first, until in windows(start, end):
            query = {"startDate": without_zone(first), "endDate": without_zone(until)}
            document = self._get("egvs", EGVS, access_token, query)
            yield parse_egvs(document, self._clock.now())

    def data_range(self, access_token: str, last_sync_time: datetime | None = None) -> DataRange:
        """From when to when there is data; with `last_sync_time`, of what was uploaded after it."""
        query = {}
        if last_sync_time and self._clock.now() - last_sync_time < _LAST_SYNC_MAX:
            query["lastSyncTime"] = with_zone(last_sync_time)
        return parse_data_range(self._get("data_range", DATA_RANGE, access_token, query))

    def devices(self, access_token: str) -> tuple[KnownDevice, ...]:
        """The devices that upload for this person."""
        return parse_devices(self._get("devices", DEVICES, access_token, {}))

    def _get(self, operation: str, path: str, access_token: str, query: dict[str, str]) -> dict[str, Any]:
        response = send(
            self._http,
            "GET",
            path,
            Call(operation, path, self._time_left_s, self._whose),
            params=query,
            headers=bearer_header(access_token),
        )
        refused = error_for(response, operation, self._clock.now())
        if refused:
            raise refused
        return parse_json_object(response, operation)


# Cutting a range of time into the windows Dexcom answers for.
WINDOW_MAX = timedelta(days=30)  # Version 3; documented.
# Ten years, 122 calls: more than any history, and less than a mistake in a date could cost.
RANGE_MAX = timedelta(days=3653)


def windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Windows of whole seconds, oldest first, that cover [start, end) without a gap or an overlap."""
    for instant in (start, end):
        if instant.tzinfo is None:
            raise ValueError("a range of Dexcom's data needs instants with a zone")
    if not timedelta(0) <= end - start <= RANGE_MAX:
        raise ValueError("a range ends after it starts, and within ten years")
    # Dexcom's parameters know whole seconds. Both ends are cut alike, so ranges that meet still meet, and
    # thirty days from some fraction of a second to the same one are one window.
    first, last = (instant.astimezone(UTC).replace(microsecond=0) for instant in (start, end))
    while first < last:
        until = min(first + WINDOW_MAX, last)
        yield first, until
        first = until
