from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.times import instant_of
from bg_ingest.providers.errors import ProviderError, RequestRefused, TokenRejected, TryLater
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.dexcom.made_up import HOST, TOKEN, Replies, a_record, ok, plain
from tests.unit.providers.dexcom.test_records import JSON

DAY = timedelta(days=1)


def client(replies: Replies) -> DexcomClient:
    """A client that asks that."""
    return DexcomClient(plain(replies), FakeClock())


def test_what_a_question_looks_like() -> None:
    """The documented path and parameters, the token in its header."""
    replies = Replies(ok())

    client(replies).egvs(TOKEN, NOON - DAY, NOON)

    (request,) = replies.asked
    assert request.method == "GET"
    assert request.url.copy_with(query=None) == f"{HOST}/v3/users/self/egvs"
    assert dict(request.url.params) == {"startDate": "2026-04-25T12:00:00", "endDate": "2026-04-26T12:00:00"}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_long_range_is_cut() -> None:
    """Windows of thirty days, oldest first, and one answer of them all."""
    replies = Replies(ok({"records": [a_record()]}), ok({"records": [a_record(value=130), None]}), ok())

    egvs = client(replies).egvs(TOKEN, NOON - 75 * DAY, NOON)

    asked = [dict(request.url.params) for request in replies.asked]
    assert [query["startDate"][:10] for query in asked] == ["2026-02-10", "2026-03-12", "2026-04-11"]
    assert [query["endDate"][:10] for query in asked] == ["2026-03-12", "2026-04-11", "2026-04-26"]
    assert [reading.mg_dl for reading in egvs.readings] == [120, 130]
    assert egvs.reasons == ("not-a-record",)


def test_a_long_range_can_be_stored_as_it_comes() -> None:
    """The next window is not asked for before the last one is taken."""
    replies = Replies(ok())

    by_window = client(replies).egvs_by_window(TOKEN, NOON - 75 * DAY, NOON)

    next(by_window)
    assert replies.calls == 1
    assert len(list(by_window)) == 2


def test_a_simulated_dexcom_of_one_line() -> None:
    """What is read is what is in the range, wherever the windows happen to be cut."""
    every_day = [NOON - number * DAY for number in range(100)]

    def dexcom(request: httpx.Request) -> httpx.Response:
        start, end = (instant_of(request.url.params[name]) for name in ("startDate", "endDate"))
        assert start is not None
        assert end is not None
        return ok({"records": [a_record(systemTime=at.isoformat()) for at in every_day if start <= at < end]})

    http = httpx.Client(transport=httpx.MockTransport(dexcom), base_url=HOST)
    egvs = DexcomClient(http, FakeClock()).egvs(TOKEN, NOON - 90 * DAY, NOON)

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
def test_a_last_sync_is_only_mentioned_while_it_works(
    last_sync: datetime | None, sent: dict[str, str]
) -> None:
    """With a zone, and younger than thirty days; Dexcom's answers for older ones are wrong."""
    replies = Replies(ok({"egvs": None}))

    assert client(replies).data_range(TOKEN, last_sync).egvs is None
    assert str(replies.asked[0].url).startswith(f"{HOST}/v3/users/self/dataRange")
    assert dict(replies.asked[0].url.params) == sent


def test_devices() -> None:
    """What uploads for a person, and when it last did."""
    replies = Replies(ok({"records": [{"displayDevice": "iOS", "lastUploadDate": "2026-04-26T11:00:00Z"}]}))

    (device,) = client(replies).devices(TOKEN)

    assert (device.device.display, device.last_upload_at) == ("iOS", datetime(2026, 4, 26, 11, tzinfo=UTC))
    assert str(replies.asked[0].url) == f"{HOST}/v3/users/self/devices"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, TokenRejected), (403, TokenRejected), (400, RequestRefused), (503, TryLater)]
)
def test_a_refusal_says_what_to_do_next(status: int, kind: type[ProviderError]) -> None:
    """Refresh, look into it, or try later; and it says so without anybody's token."""
    with pytest.raises(kind) as caught:
        client(Replies(httpx.Response(status, text=TOKEN))).egvs(TOKEN, NOON - DAY, NOON)

    assert str(caught.value) == f"egvs: {status}"


@given(JSON | st.dictionaries(st.sampled_from(["records", "egvs", "userId", "unit"]), JSON))
def test_no_answer_raises_anything_else(answer: Any) -> None:
    """Readings and reasons, or an error of our tree."""
    try:
        egvs = client(Replies(ok([answer] if answer is None else answer))).egvs(TOKEN, NOON - DAY, NOON)
    except ProviderError:
        return
    assert len(egvs.readings) + len(egvs.rejected) <= len(str(answer))
