"""Client of Dexcom's data endpoints."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.dexcom.regions import DATA_RANGE, DEVICES, EGVS
from bg_ingest.providers.dexcom.responses import (
    parse_data_range,
    parse_devices,
    parse_egvs,
)
from bg_ingest.providers.dexcom.subscriptions import Subscriptions
from bg_ingest.providers.http.send import Call, bearer_header, parse_json_object, send, unlimited_s
from bg_ingest.providers.seam import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import httpx

    from bg_ingest.clock import Clock
    from bg_ingest.providers.dexcom.responses import DataRange, KnownDevice


WINDOW_MAX = timedelta(days=30)  # The documented limit of one request in version 3.
# Ten years: 122 requests. More than any history, and a limit for a mistake in a date.
RANGE_MAX = timedelta(days=3653)
# For an older lastSyncTime the responses are wrong (observed).
_LAST_SYNC_MAX = timedelta(days=30)


class DexcomClient:
    """
    One account's data at one host, read with the account's access token; thread-safe.

    `http` must be a client that `polite_http` made. It limits, retries and sorts out failures, so that this
    class contains only what Dexcom documents.
    """

    def __init__(
        self,
        http: httpx.Client,
        clock: Clock,
        *,
        time_left_s: Callable[[], float] = unlimited_s,
        subscriptions_path: str | None = None,
        account_key: str | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._time_left_s = time_left_s
        self._account_key = account_key
        self.subscriptions = Subscriptions(http, subscriptions_path, time_left_s, account_key)

    def egvs(self, access_token: str, start: datetime, end: datetime) -> Fetched:
        """The glucose values of [start, end), in one result for any length up to RANGE_MAX."""
        return sum(self.egvs_by_window(access_token, start, end), Fetched())

    def egvs_by_window(self, access_token: str, start: datetime, end: datetime) -> Iterator[Fetched]:
        """The glucose values of [start, end), one result per request, oldest first."""
        for first, until in windows(start, end):
            query = {"startDate": without_zone(first), "endDate": without_zone(until)}
            document = self._get("egvs", EGVS, access_token, query)
            yield parse_egvs(document, self._clock.now())

    def data_range(self, access_token: str, last_sync_time: datetime | None = None) -> DataRange:
        """The oldest and newest record of each kind; with `last_sync_time`, of records uploaded after it."""
        query = {}
        if last_sync_time and self._clock.now() - last_sync_time < _LAST_SYNC_MAX:
            query["lastSyncTime"] = with_zone(last_sync_time)
        return parse_data_range(self._get("data_range", DATA_RANGE, access_token, query))

    def devices(self, access_token: str) -> tuple[KnownDevice, ...]:
        """The devices that upload for this account."""
        return parse_devices(self._get("devices", DEVICES, access_token, {}))

    def _get(self, operation: str, path: str, access_token: str, query: dict[str, str]) -> dict[str, Any]:
        call = Call(operation, path, self._time_left_s, self._account_key)
        response = send(self._http, "GET", call, params=query, headers=bearer_header(access_token))
        return parse_json_object(response, operation)


def windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Windows of at most WINDOW_MAX that cover [start, end) without gap or overlap, oldest first."""
    for instant in (start, end):
        if instant.tzinfo is None:
            raise ValueError("a range of Dexcom's data needs instants with a time zone")
    if not timedelta(0) <= end - start <= RANGE_MAX:
        raise ValueError("a range ends after it starts, and within ten years")
    # Dexcom's parameters are whole seconds. Both ends are cut to the second, so that two adjacent ranges stay
    # adjacent, and exactly thirty days need one request.
    first, last = (instant.astimezone(UTC).replace(microsecond=0) for instant in (start, end))
    while first < last:
        until = min(first + WINDOW_MAX, last)
        yield first, until
        first = until


def without_zone(instant: datetime) -> str:
    """2026-02-06T09:12:35, in UTC: the format of startDate and endDate."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def with_zone(instant: datetime) -> str:
    """2026-02-06T09:12:35Z: the format of lastSyncTime."""
    return without_zone(instant) + "Z"
