"""Client of one Nightscout server: the exchange of its token, its entries, and what changed in them."""

# One answer has the newest entries of a range, as many as were asked for, or fewer if the server has a limit
# of its own. So a range is read backwards, page by page, from a little before its start:
#
#     lead   start                                               end
#     |------|----------------------------------|<--- answer 1 -->|
#     |------|----------------|<--- answer 2 -->|
#     |--<---|-- answer 3 --->|
#
# Rule 1: The next page ends with the oldest entry of this one, included, since others can have its date.
# Rule 2: If a page has an entry before the start, then the range is complete: nothing newer was left out.
# Rule 3: If a page has no new entry, then the range is complete.
#
# A page costs one call, and a poll usually needs one: a sensor that works has an entry in the lead.

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bg_ingest.providers.errors import ConsentRevoked, ContractBroken, Garbled, Unavailable
from bg_ingest.providers.http.send import Call, bearer_header, parse_json, parse_json_object, send
from bg_ingest.providers.nightscout.entry_parser import date_ms_of
from bg_ingest.providers.seam import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from datetime import datetime

    import httpx

EXCHANGE = "/api/v2/authorization/request/"
RIGHTS = "/api/v1/verifyauth"
ENTRIES = "/api/v1/entries/sgv.json"
HISTORY = "/api/v3/entries/history/"

# 5,000 entries are 2 MB, and more than a week of a sensor that measures every minute.
PAGE_ENTRIES = 5_000
HISTORY_ENTRIES = 1_000  # What API v3 answers at most.
# 500,000 readings: more than a sensor has in a window. It ends the reading of a server that invents entries.
PAGES_MAX = 100
LEAD_MS = 10 * 60_000  # Two intervals of a sensor.
# The server's clock may be wrong by this without notice; the Date header has whole seconds.
_SKEW_MS_MIN = 60_000
# Any 4xx says that this server or token has no API v3; servers differ in which. 408 and 429 are errors.
_NO_HISTORY = range(400, 500)


@dataclass(frozen=True, slots=True)
class EntryList:
    """Entries as they were sent, and how far the server's clock is ahead."""

    entries: list[Any]
    skew_ms: int = 0


@dataclass(frozen=True, slots=True)
class SiteClient:
    """One server; `http` must be a client that `polite_http` made for it."""

    http: httpx.Client
    now: Callable[[], datetime]
    time_left_s: Callable[[], float]
    account_key: str | None = None

    def exchange(self, token: str) -> dict[str, Any]:
        """The web token for an access token; ConsentRevoked if the server does not know the access token."""
        call = self._call("nightscout_exchange", EXCHANGE, frozenset({401, 403}))
        response = send(self.http, "GET", call, suffix=quote(token, safe=""))
        if not response.is_client_error:
            return parse_json_object(response, "nightscout_exchange")
        if response.status_code == 401 and _is_json(response):
            raise ConsentRevoked("nightscout_exchange: the server does not know the token")
        # A page of something in front of the server, such as a check for robots.
        raise Unavailable(f"nightscout_exchange: {response.status_code} without JSON")

    def rights(self, web_token: str) -> dict[str, Any]:
        """What the credential may do."""
        response = send(
            self.http, "GET", self._call("nightscout_rights", RIGHTS), headers=bearer_header(web_token)
        )
        message = parse_json_object(response, "nightscout_rights").get("message")
        if not isinstance(message, dict):
            raise ContractBroken("nightscout_rights: the response has no message")
        return message

    def entries(self, web_token: str, start_ms: int, end_ms: int) -> EntryList:
        """The entries of `[start, end)`, in any order."""
        found: dict[Any, Any] = {}
        skew_ms, until_ms = 0, end_ms
        for _ in range(PAGES_MAX):
            page, skew_ms = self._page(web_token, start_ms - LEAD_MS, until_ms)
            known = len(found)
            found |= {_key(entry): entry for entry in page}
            dates = [ms for ms in map(date_ms_of, page) if ms is not None]
            if len(found) == known or not dates or min(dates) < start_ms:
                break
            # Entries of the oldest date may be left; a page that has no other date would come again.
            until_ms = min(dates) if min(dates) == max(dates) else min(dates) + 1
        else:
            raise ContractBroken("nightscout_entries: the server has too many pages")
        inside = [entry for entry in found.values() if (date_ms_of(entry) or start_ms) >= start_ms]
        return EntryList(inside, skew_ms)

    def history(self, web_token: str, since_ms: int) -> list[Any] | None:
        """What was created, edited or deleted since; None if this server does not say."""
        found: list[Any] = []
        for _ in range(PAGES_MAX):
            call = self._call("nightscout_history", HISTORY, _NO_HISTORY)
            query = {"limit": HISTORY_ENTRIES}
            headers = bearer_header(web_token)
            response = send(
                self.http, "GET", call, suffix=str(max(since_ms, 1)), params=query, headers=headers
            )
            if response.status_code in _NO_HISTORY:
                return None
            page = _list_of(response)
            found += page
            newest_ms = max(filter(None, map(_modified_ms, page)), default=since_ms)
            if len(page) < HISTORY_ENTRIES or newest_ms <= since_ms:
                return found
            since_ms = newest_ms
        raise ContractBroken("nightscout_history: the server has too many pages")

    def _page(self, web_token: str, start_ms: int, until_ms: int) -> tuple[list[Any], int]:
        query = {"find[date][$gte]": start_ms, "find[date][$lt]": until_ms, "count": PAGE_ENTRIES}
        response = send(
            self.http,
            "GET",
            self._call("nightscout_entries", ENTRIES),
            params=query,
            headers=bearer_header(web_token),
        )
        page = parse_json(response, "nightscout_entries")
        if not isinstance(page, list):
            raise ContractBroken("nightscout_entries: the response is not a list")
        asked = [entry for entry in page if start_ms <= (date_ms_of(entry) or start_ms) < until_ms]
        return asked, self._skew_ms(response)

    def _skew_ms(self, response: httpx.Response) -> int:
        try:
            date = parsedate_to_datetime(response.headers["date"])
            skew_ms = round((date - self.now()).total_seconds() * 1000)
        except (KeyError, ValueError, TypeError, OverflowError):  # TypeError: without a zone.
            return 0
        return skew_ms if abs(skew_ms) >= _SKEW_MS_MIN else 0

    def _call(self, operation: str, path: str, accepted: Container[int] = ()) -> Call:
        return Call(operation, path, self.time_left_s, self.account_key, accepted)


def _list_of(response: httpx.Response) -> list[Any]:
    """The entries of an answer of API v3: in an envelope, or bare in its first versions."""
    if response.status_code == 204:
        return []
    document = parse_json(response, "nightscout_history")
    entries = document.get("result") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise ContractBroken("nightscout_history: the response has no list of entries")
    return entries


def _is_json(response: httpx.Response) -> bool:
    try:
        parse_json(response, "nightscout_exchange")
    except Garbled:
        return False
    return True


def _modified_ms(entry: object) -> int | None:
    number = number_of(entry.get("srvModified")) if isinstance(entry, dict) else None
    return None if number is None else int(number)


def _key(entry: object) -> object:
    own = entry.get("_id") if isinstance(entry, dict) else None
    return own if isinstance(own, str) and own else repr(entry)
