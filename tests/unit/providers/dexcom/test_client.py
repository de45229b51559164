from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.client import RANGE_MAX, WINDOW_MAX, DexcomClient, windows
from bg_ingest.providers.dexcom.oauth import OAuth
from bg_ingest.providers.dexcom.responses import instant_of
from bg_ingest.providers.errors import OutOfTime, ProviderError, RequestRefused, TokenRejected, TryLater
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.dexcom.json_records import a_record
from tests.unit.providers.dexcom.test_oauth import APPLICATION
from tests.unit.providers.dexcom.test_responses import JSON
from tests.unit.providers.http.fake_provider import HOST, TOKEN, Replies, ok, polite, without_retries

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY = timedelta(days=1)


def client(replies: Replies) -> DexcomClient:
    """A client of a provider that gives these replies."""
    return DexcomClient(without_retries(replies), FakeClock())


def test_request_for_egvs() -> None:
    """The request has the documented path and parameters, and the token in its header."""
    replies = Replies(ok())

    client(replies).egvs(TOKEN, NOON - DAY, NOON)

    (request,) = replies.requests
    assert request.method == "GET"
    assert request.url.copy_with(query=None) == f"{HOST}/v3/users/self/egvs"
    assert dict(request.url.params) == {"startDate": "2026-04-25T12:00:00", "endDate": "2026-04-26T12:00:00"}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_long_range_is_read_in_windows() -> None:
    """A range of 75 days is three requests, oldest first, and one result."""
    replies = Replies(ok({"records": [a_record()]}), ok({"records": [a_record(value=130), None]}), ok())

    egvs = client(replies).egvs(TOKEN, NOON - 75 * DAY, NOON)

    queries = [dict(request.url.params) for request in replies.requests]
    assert [query["startDate"][:10] for query in queries] == ["2026-02-10", "2026-03-12", "2026-04-11"]
    assert [query["endDate"][:10] for query in queries] == ["2026-03-12", "2026-04-11", "2026-04-26"]
    assert [reading.mg_dl for reading in egvs.readings] == [120, 130]
    assert egvs.reasons == ("not-a-record",)


def test_next_window_is_requested_when_needed() -> None:
    """The next window is requested only after the caller has taken the previous one."""
    replies = Replies(ok())

    by_window = client(replies).egvs_by_window(TOKEN, NOON - 75 * DAY, NOON)

    next(by_window)
    assert replies.calls == 1
    assert len(list(by_window)) == 2


def test_windows_lose_and_repeat_no_reading() -> None:
    """All readings of the range are read one time each, also at the boundaries of windows."""
    every_day = [NOON - number * DAY for number in range(100)]

    def provider(request: httpx.Request) -> httpx.Response:
        start, end = (instant_of(request.url.params[name]) for name in ("startDate", "endDate"))
        assert start is not None
        assert end is not None
        return ok({"records": [a_record(systemTime=at.isoformat()) for at in every_day if start <= at < end]})

    egvs = DexcomClient(without_retries(provider), FakeClock()).egvs(TOKEN, NOON - 90 * DAY, NOON)

    assert sorted(reading.at for reading in egvs.readings) == sorted(every_day[1:91])


@pytest.mark.parametrize(
    ("last_sync", "sent"),
    [
        (None, {}),
        (NOON - timedelta(hours=1), {"lastSyncTime": "2026-04-26T11:00:00Z"}),
        (NOON - 30 * DAY + timedelta(seconds=1), {"lastSyncTime": "2026-03-27T12:00:01Z"}),
        (NOON - 30 * DAY, {}),
        (NOON - 90 * DAY, {}),
    ],
)
def test_last_sync_time_is_sent_up_to_30_days(last_sync: datetime | None, sent: dict[str, str]) -> None:
    """`lastSyncTime` has a zone, and is left out if it is older: Dexcom's responses would be wrong."""
    replies = Replies(ok({"egvs": None}))

    assert client(replies).data_range(TOKEN, last_sync).egvs is None
    assert str(replies.requests[0].url).startswith(f"{HOST}/v3/users/self/dataRange")
    assert dict(replies.requests[0].url.params) == sent


def test_devices_and_their_last_upload() -> None:
    """`devices` returns each device with its last upload."""
    replies = Replies(ok({"records": [{"displayDevice": "iOS", "lastUploadDate": "2026-04-26T11:00:00Z"}]}))

    (device,) = client(replies).devices(TOKEN)

    assert (device.device.display, device.last_upload_at) == ("iOS", datetime(2026, 4, 26, 11, tzinfo=UTC))
    assert str(replies.requests[0].url) == f"{HOST}/v3/users/self/devices"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, TokenRejected), (403, TokenRejected), (400, RequestRefused), (503, TryLater)]
)
def test_error_status_raises_without_the_body(status: int, kind: type[ProviderError]) -> None:
    """The class of the error depends on the status, and its text contains nothing of the response."""
    with pytest.raises(kind) as caught:
        client(Replies(httpx.Response(status, text=TOKEN))).egvs(TOKEN, NOON - DAY, NOON)

    assert str(caught.value) == f"egvs: {status}"


@given(JSON | st.dictionaries(st.sampled_from(["records", "egvs", "userId", "unit"]), JSON))
def test_any_json_gives_readings_or_a_provider_error(answer: Any) -> None:
    """Any JSON document gives readings and rejected records, or raises a ProviderError."""
    try:
        egvs = client(Replies(ok([answer] if answer is None else answer))).egvs(TOKEN, NOON - DAY, NOON)
    except ProviderError:
        return
    assert len(egvs.readings) + len(egvs.rejected) <= len(str(answer))


def test_every_call_keeps_to_the_caller_time() -> None:
    """Calls for data, subscriptions and tokens are refused if the caller has too little time."""
    clock, replies = FakeClock(), Replies(ok())
    http = polite(clock, replies)
    dexcom = DexcomClient(http, clock, time_left_s=lambda: 1.0, subscriptions_path="/v3/subscriptions")
    oauth = OAuth(http, APPLICATION, clock, lambda: 1.0)

    for call in (
        dexcom.devices,
        dexcom.data_range,
        dexcom.subscriptions.listed,
        oauth.refresh,
        oauth.exchange,
    ):
        with pytest.raises(OutOfTime):
            call(TOKEN)
    assert replies.calls == 0


INSTANTS = st.datetimes(
    min_value=datetime(2015, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone.
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001 - as above.
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)


@given(INSTANTS, st.timedeltas(timedelta(0), RANGE_MAX))
def test_windows_cover_the_range(start: datetime, length: timedelta) -> None:
    """Windows cover the range without a gap or an overlap, and none exceeds thirty days."""
    cut = list(windows(start, start + length))

    if cut:
        assert cut[0][0] == start.replace(microsecond=0)
        assert cut[-1][1] == (start + length).replace(microsecond=0)
    assert all(until == following for (_, until), (following, _) in pairwise(cut))
    assert all(timedelta(0) < until - first <= WINDOW_MAX for first, until in cut)
    assert all(instant.microsecond == 0 and instant.tzinfo is UTC for window in cut for instant in window)


@given(INSTANTS, st.integers(1, 120))
def test_thirty_days_are_one_window(start: datetime, windows_count: int) -> None:
    """A multiple of thirty days is as many windows, also if it starts within a second."""
    assert len(list(windows(start, start + windows_count * timedelta(days=30)))) == windows_count


def test_range_of_ten_years_is_accepted() -> None:
    """Ten years with three leap days are accepted; one day more is rejected."""
    start = datetime(2016, 1, 1, tzinfo=UTC)

    assert next(windows(start, datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(ValueError, match="ten years"):
        next(windows(start, datetime(2026, 1, 2, tzinfo=UTC)))


@given(INSTANTS, st.timedeltas(timedelta(0), RANGE_MAX / 2), st.timedeltas(timedelta(0), RANGE_MAX / 2))
def test_adjacent_ranges_leave_no_gap(start: datetime, first: timedelta, second: timedelta) -> None:
    """The windows of two adjacent ranges cover as many seconds as those of the whole range."""
    middle, end = start + first, start + first + second
    covered = [seconds(windows(start, middle)), seconds(windows(middle, end))]

    assert sum(covered) == seconds(windows(start, end))


def seconds(cut: Iterable[tuple[datetime, datetime]]) -> float:
    """The number of seconds that windows cover."""
    return sum((until - first).total_seconds() for first, until in cut)


def test_empty_range_has_no_window() -> None:
    """A range without length needs no request."""
    assert list(windows(NOON, NOON)) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOON, NOON - timedelta(seconds=1)), (NOON - RANGE_MAX - timedelta(seconds=1), NOON)],
)
def test_reversed_or_very_long_range_is_rejected(start: datetime, end: datetime) -> None:
    """A range that ends before it starts or exceeds ten years raises instead of making many calls."""
    with pytest.raises(ValueError, match="ends after it starts"):
        list(windows(start, end))


def test_instant_without_zone_is_rejected() -> None:
    """A naive datetime raises, because its zone is unknown."""
    with pytest.raises(ValueError, match="zone"):
        list(windows(NOON.replace(tzinfo=None), NOON))
