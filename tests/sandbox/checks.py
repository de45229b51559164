"""
What the Dexcom client assumes and no documentation promises: each check fails, or says what it observed.

An observation contains statuses, counts and names of members. It contains no value, token or id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.providers.dexcom.regions import DATA_RANGE, EGVS
from bg_ingest.providers.dexcom.responses import instant_of, parse_egvs
from bg_ingest.providers.errors import CodeRefused, ConsentRevoked

if TYPE_CHECKING:
    import httpx

    from tests.sandbox.login import SandboxAccount

Check = Callable[["SandboxAccount"], str]

_WINDOW = timedelta(days=30)
_SECOND = timedelta(seconds=1)
# What the client reads of a record. Others are observed, because a new one may matter.
_KNOWN = {
    "recordId",
    "systemTime",
    "displayTime",
    "transmitterId",
    "transmitterTicks",
    "value",
    "status",
    "trend",
    "trendRate",
    "unit",
    "rateUnit",
    "displayDevice",
    "transmitterGeneration",
    "transmitterGenerationVariant",
    "displayApp",
}


def every_record_is_read(account: SandboxAccount) -> str:
    """The parser rejects no record of thirty days, and each reading has its own instant or device."""
    document = _newest(account).raise_for_status().json()
    fetched = parse_egvs(document, account.clock.now())
    records: list[dict[str, Any]] = document["records"]

    assert records, "The user has no data. Log in as another sandbox user."
    assert fetched.reasons == ()
    other = {name for record in records for name in record} - _KNOWN
    trends = {reading.trend for reading in fetched.readings}
    return (
        f"{len(records)} records; trends: {_names(trends)}; generations: "
        f"{_names(reading.device.generation for reading in fetched.readings)}; other members: {_names(other)}"
    )


def a_window_includes_its_start_and_not_its_end(account: SandboxAccount) -> str:
    """A reading is in the window that begins with it, and not in the window that ends with it."""
    at = _some_instant(account)

    assert _instants(account.records(at, at + _SECOND)) == {at}
    assert at not in _instants(account.records(at - 60 * _SECOND, at))
    return "[start, end), compared with systemTime"


def thirty_days_are_the_longest_window(account: SandboxAccount) -> str:
    """Thirty days are accepted; a longer window is refused, or the client's limit could be higher."""
    end = account.clock.now()
    longer = account.egvs(end - _WINDOW - timedelta(days=1), end)

    assert account.egvs(end - _WINDOW, end).status_code == 200
    return f"31 days: {longer.status_code}"


def a_range_without_data_is_an_empty_list(account: SandboxAccount) -> str:
    """It is 200 and no error."""
    then = datetime(2015, 1, 1, tzinfo=UTC)

    assert account.records(then, then + timedelta(days=1)) == []
    return "200, an empty list"


def the_order_is_observed(account: SandboxAccount) -> str:
    """The client accepts any order."""
    instants = [instant_of(record["systemTime"]) for record in _newest(account).json()["records"]]
    known = [instant for instant in instants if instant]
    newest_first = known == sorted(known, reverse=True)
    oldest_first = known == sorted(known)
    return "newest first" if newest_first else "oldest first" if oldest_first else "mixed"


def the_same_range_has_the_same_records(account: SandboxAccount) -> str:
    """The content of a record stays, or each poll would store a revision; its id may change."""
    once, again = (_newest(account).json()["records"] for _ in range(2))
    same_ids = {record.get("recordId") for record in once} == {record.get("recordId") for record in again}

    assert _contents(once) <= _contents(again)
    return f"same contents; record ids {'are kept' if same_ids else 'change'}"


def a_data_range_reaches_from_the_oldest_to_the_newest(account: SandboxAccount) -> str:
    """The newest record of the range is the newest of the records themselves."""
    span = account.client.data_range(account.tokens.access_token).egvs
    newest = max(_instants(_newest(account).json()["records"]))

    assert span
    assert abs(span.end - newest) < timedelta(minutes=10)
    return f"{(span.end - span.start).days} days"


def a_data_range_since_a_sync_is_within_the_whole(account: SandboxAccount) -> str:
    """`lastSyncTime` with a zone is accepted, and selects a part or nothing."""
    since = account.clock.now() - timedelta(days=1)
    everything = account.client.data_range(account.tokens.access_token).egvs
    uploaded = account.client.data_range(account.tokens.access_token, since).egvs
    without = account.plain.get(
        DATA_RANGE, params={"lastSyncTime": f"{since:%Y-%m-%dT%H:%M:%S}"}, headers=account.bearer
    )

    assert everything
    assert uploaded is None or everything.start <= uploaded.start <= uploaded.end <= everything.end
    return f"{'a part' if uploaded else 'nothing'}; without a zone: {without.status_code}"


def devices_are_listed(account: SandboxAccount) -> str:
    """The response can be parsed."""
    return f"{len(account.client.devices(account.tokens.access_token))} devices"


def a_wrong_token_is_401(account: SandboxAccount) -> str:
    """The client then refreshes; the shape of the body is observed."""
    refused = account.plain.get(EGVS, headers={"Authorization": "Bearer wrong"})

    assert refused.status_code in {401, 403}
    return f"{refused.status_code}, body: {_shape(refused)}"


def bad_dates_are_400(account: SandboxAccount) -> str:
    """The client never sends any; the shape of the body is observed."""
    query = {"startDate": "yesterday", "endDate": "today"}
    refused = account.plain.get(EGVS, params=query, headers=account.bearer)

    assert 400 <= refused.status_code < 500
    return f"{refused.status_code}, body: {_shape(refused)}"


def headers_about_limits_are_observed(account: SandboxAccount) -> str:
    """No documentation names a header about the quota."""
    names = {name for name in _newest(account).headers if "limit" in name or name.startswith("retry")}
    return _names(names)


def a_code_works_one_time(account: SandboxAccount) -> str:
    """The second exchange is `invalid_grant`."""
    with pytest.raises(CodeRefused):
        account.oauth.exchange(account.code)
    return "invalid_grant"


def a_refresh_token_works_one_time(account: SandboxAccount) -> str:
    """A refresh returns a new refresh token, and the old one is then `invalid_grant`."""
    renewed = account.oauth.refresh(account.tokens.refresh_token)

    assert renewed.refresh_token != account.tokens.refresh_token
    with pytest.raises(ConsentRevoked):
        account.oauth.refresh(account.tokens.refresh_token)
    return f"a new one; the access token lasts {renewed.expires_at - account.clock.now()}"


# The last two end the login.
CHECKS: tuple[Check, ...] = (
    every_record_is_read,
    a_window_includes_its_start_and_not_its_end,
    thirty_days_are_the_longest_window,
    a_range_without_data_is_an_empty_list,
    the_order_is_observed,
    the_same_range_has_the_same_records,
    a_data_range_reaches_from_the_oldest_to_the_newest,
    a_data_range_since_a_sync_is_within_the_whole,
    devices_are_listed,
    a_wrong_token_is_401,
    bad_dates_are_400,
    headers_about_limits_are_observed,
    a_code_works_one_time,
    a_refresh_token_works_one_time,
)


def _newest(account: SandboxAccount) -> httpx.Response:
    end = account.clock.now()
    return account.egvs(end - _WINDOW, end)


def _some_instant(account: SandboxAccount) -> datetime:
    instants = sorted(_instants(_newest(account).json()["records"]))
    return instants[len(instants) // 2].replace(microsecond=0)


def _instants(records: list[dict[str, Any]]) -> set[datetime]:
    return {instant for record in records if (instant := instant_of(record["systemTime"]))}


def _contents(records: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(sorted((k, str(v)) for k, v in each.items() if k != "recordId")) for each in records}


def _shape(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return "not JSON"
    return _names(body) if isinstance(body, dict) else type(body).__name__


def _names(values: Any) -> str:
    return ", ".join(sorted(str(value) for value in values)) or "none"
