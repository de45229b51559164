"""
HTTP of the Nightscout facade: credentials, routes, and Nightscout's form of errors.

Every method but GET and HEAD is 401, as Nightscout answers a client that may only read. Query values are
never logged: they contain tokens.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from bg_ingest import problems, telemetry
from bg_ingest.access import reader_tokens
from bg_ingest.access.caller import Forbidden
from bg_ingest.access.grant import Category
from bg_ingest.facades.nightscout import entry_text, site_status
from bg_ingest.facades.nightscout.entry_query import Condition, EntryQuery, QueryInvalid, parse_query, time_ms
from bg_ingest.facades.nightscout.properties import properties_of
from bg_ingest.facades.nightscout.sgv_entry import DELTA_OVER_MAX, ID_PATTERN, entries_of
from bg_ingest.http_api import aws_errors
from bg_ingest.http_api.answers.range_response import preferred
from bg_ingest.http_api.responding import accepts_gzip
from bg_ingest.http_api.shared import reader_of
from bg_ingest.problems import Problem
from bg_ingest.readings.store import AHEAD_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bg_ingest.access.grant import Reader
    from bg_ingest.access.grants import GrantService
    from bg_ingest.clock import Clock
    from bg_ingest.facades.nightscout.sgv_entry import Entry
    from bg_ingest.readings.store import ReadingStore

    Answer = dict[str, Any]

# Lambda's limit for a response is 6 MB. Compressed entries have a tenth of their size.
PLAIN_BYTES_MAX = 5_900_000
COMPRESSED_BYTES_MAX = 20_000_000
_RECENT = timedelta(hours=1)  # Enough for the four buckets of the properties.
_ENTRIES = re.compile(r"/api/v1/entries(?:/(?P<spec>[^/.]+))?(?:\.(?P<ending>json|csv|tsv|txt))?", re.ASCII)
_EMPTY = re.compile(
    r"/api/v1/(?:devicestatus|treatments|profiles?|food|activity)(?:/current)?(?:\.json)?", re.ASCII
)
_STATUS = re.compile(r"/api/v1/status(?:\.(?P<ending>json|txt|html|js|svg))?", re.ASCII)
_PROPERTIES = re.compile(r"/api/v2/properties(?:\.json)?(?:/(?P<names>[\w,]+))?(?:\.json)?/?", re.ASCII)
_EXCHANGE = re.compile(r"/api/v2/authorization/request/(?P<token>[^/]+)")
_NONE = frozenset({"", "null", "undefined"})
_NO_CACHE = {"Cache-Control": "private, no-cache"}
_JSON = "application/json; charset=utf-8"
_REASONS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Authorized:
    """A reader, and the credential that it sent; its repr shows neither."""

    reader: Reader
    credential: str

    def __repr__(self) -> str:
        return "Authorized(...)"


@dataclass(frozen=True, slots=True)
class NightscoutSite:
    """The routes of the facade."""

    reading_store: ReadingStore
    grants: GrantService
    clock: Clock

    def resolve(self, event: dict[str, Any], context: object) -> Answer:
        """Answer one request; every error has Nightscout's form."""
        del context
        try:
            return self._answered(event)
        except QueryInvalid as invalid:
            return _refused(HTTPStatus.BAD_REQUEST, str(invalid))
        except Problem as problem:
            return _refused(problem.kind.status, _description(problem), problem.headers)
        except Exception as error:  # noqa: BLE001 - no request may end without a response.
            telemetry.log("request failed", level=logging.ERROR, raised=error)
            fault = aws_errors.problem_of(error)
            return _refused(fault.kind.status, fault.kind.title, fault.headers)

    def _answered(self, event: dict[str, Any]) -> Answer:
        if event["requestContext"]["http"]["method"] != "GET":
            return _refused(HTTPStatus.UNAUTHORIZED, "Invalid/Missing")
        path, credential = event["rawPath"], _credential(event)
        if path == "/api/versions":
            return _json(site_status.versions())
        if found := _STATUS.fullmatch(path):
            return self._status(event, found["ending"], credential)
        if found := _EXCHANGE.fullmatch(path):
            return _json(self._rights(self._authorized(event, unquote(found["token"]))))
        known = self._authorized(event, credential)
        for pattern, route in _ROUTES:
            if found := pattern.fullmatch(path):
                return route(self, event, known.reader, found)
        return _refused(HTTPStatus.NOT_FOUND, "No such resource")

    def _authorized(self, event: dict[str, Any], credential: str) -> Authorized:
        """Find the reader, or raise 401 or 429."""
        expires_at = reader_tokens.expiry_of(credential)
        if expires_at is not None and expires_at <= self.clock.now():
            raise Problem(problems.GRANT_INVALID)
        reader = reader_of(self.grants, event, credential)
        try:
            reader.must_read(Category.READINGS)
        except Forbidden:
            raise Problem(problems.GRANT_INVALID) from None
        return Authorized(reader, credential)

    def _rights(self, known: Authorized) -> dict[str, Any]:
        token = reader_tokens.issue(self.grants.items, known.reader.grant, known.credential, self.clock.now())
        label = known.reader.grant.label
        times = int(token.issued_at.timestamp()), int(token.expires_at.timestamp())
        return site_status.authorized(token.jwt, label, *times)

    def _status(self, event: dict[str, Any], ending: str | None, credential: str) -> Answer:
        known = self._authorized(event, credential) if credential else None
        if ending == "txt":
            return _answer("STATUS OK", "text/plain; charset=utf-8")
        if ending == "html":
            return _answer("<h1>STATUS OK</h1>", "text/html; charset=utf-8")
        if ending == "svg":
            text = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="20"><text y="15">'
            return _answer(f"{text}Nightscout OK</text></svg>", "image/svg+xml")
        body = site_status.status(self.clock.now(), self._rights(known) if known else None)
        if ending == "js":
            return _answer(f"this.serverSettings = {json.dumps(body)};", "application/javascript")
        return _json(body)

    def properties(self, event: dict[str, Any], reader: Reader, path: re.Match[str]) -> Answer:
        """Return the properties that the path names, or all."""
        names = path["names"]
        now = self.clock.now()
        newest = next(self._newest_first(reader, datetime.min.replace(tzinfo=UTC), now), None)
        since = datetime.fromtimestamp(newest["date"] / 1000, UTC) - _RECENT if newest else now
        recent = list(self._newest_first(reader, since, now))
        body = json.dumps(properties_of(recent, now, (names or "").split(",") if names else ()))
        tag = f'W/"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
        if event["headers"].get("if-none-match") in {tag, tag.removeprefix("W/"), "*"}:
            return _answer("", _JSON, {"ETag": tag}, HTTPStatus.NOT_MODIFIED)
        return _answer(body, _JSON, {"ETag": tag})

    def entries(self, event: dict[str, Any], reader: Reader, path: re.Match[str]) -> Answer:
        """Return the entries that match the query, or the one that the path names."""
        spec, ending = path["spec"], path["ending"]
        query = _query(event, spec)
        found = self._matching(query, reader)
        listed = [entry for entry, _ in zip(found, range(query.count_max or 0), strict=False)]
        if not listed and spec and ID_PATTERN.fullmatch(spec):
            return _refused(HTTPStatus.NOT_FOUND, "No such id")
        headers: dict[str, str] = {}
        if listed:
            newest = datetime.fromtimestamp(listed[0]["date"] / 1000, UTC)
            headers["Last-Modified"] = format_datetime(newest, usegmt=True)
            if _is_known(event["headers"].get("if-modified-since"), newest):
                return _answer("", _JSON, headers, HTTPStatus.NOT_MODIFIED)
        accept = event["headers"].get("accept")
        media_type = entry_text.MEDIA_TYPE_OF_ENDING.get(ending or "") or preferred(
            accept, entry_text.MEDIA_TYPES
        )
        is_packed = accepts_gzip(event["headers"].get("accept-encoding"))
        body = entry_text.rendered(listed, media_type, COMPRESSED_BYTES_MAX if is_packed else PLAIN_BYTES_MAX)
        return _answer(body, f"{media_type}; charset=utf-8", headers | {"Vary": "Accept"})

    def counted(self, event: dict[str, Any], reader: Reader, _: re.Match[str]) -> Answer:
        """Return the number of entries that match the query."""
        count = sum(1 for _ in self._matching(parse_query(event.get("rawQueryString") or ""), reader))
        return _json([{"_id": None, "count": count}] if count else [])

    def _matching(self, query: EntryQuery, reader: Reader) -> Iterator[Entry]:
        return filter(query.holds, self._newest_first(reader, *query.window(self.clock.now())))

    def _newest_first(self, reader: Reader, start: datetime, end: datetime) -> Iterator[Entry]:
        """The entries of `[start, end)`, none of the future. Each has its delta to the one before."""
        now = self.clock.now()
        visible = reader.visible(self.reading_store, now)
        # A little more at the begin, for the delta of the oldest entry.
        begin = max(start, datetime.min.replace(tzinfo=UTC) + DELTA_OVER_MAX) - DELTA_OVER_MAX
        hours = visible.columns(reader.user_id, begin, min(end, now + AHEAD_MAX), descending=True)
        first_ms = start.timestamp() * 1000
        return (entry for entry in entries_of(reader.user_id, hours) if entry["date"] >= first_ms)


# The routes of a reader; the first pattern that matches the path.
_ROUTES: tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...] = (
    (_PROPERTIES, NightscoutSite.properties),
    (_EMPTY, lambda *_: _json([])),
    (re.compile(r"/api/v1/verifyauth"), lambda *_: _json(site_status.verified())),
    (re.compile(r"/api/v1/experiments/test"), lambda *_: _json({"status": "ok"})),
    (re.compile(r"/api/v1/count/entries/where"), NightscoutSite.counted),
    (_ENTRIES, NightscoutSite.entries),
)


def _query(event: Mapping[str, Any], spec: str | None) -> EntryQuery:
    if spec == "current":
        return EntryQuery((), 1)
    if spec and ID_PATTERN.fullmatch(spec):
        return EntryQuery((Condition("_id", "$eq", (spec,)),), 1)
    query = parse_query(event.get("rawQueryString") or "")
    if spec is None:
        return query
    return EntryQuery((*query.conditions, Condition("type", "$eq", (spec,))), query.count_max)


def _credential(event: Mapping[str, Any]) -> str:
    """The first credential of a request, in any form that clients use; empty if it has none."""
    query = parse_qs(event.get("rawQueryString") or "", errors="replace")
    headers: Mapping[str, str] = event["headers"]
    bearer = headers.get("authorization") or ""
    sent = [
        (headers.get("api-secret") or "").strip().removeprefix("token="),
        *query.get("token", ()),
        *query.get("secret", ()),
        bearer[len("bearer ") :].strip() if bearer.lower().startswith("bearer ") else "",
    ]
    return next((each for each in sent if each.lower() not in _NONE), "")


def _is_known(if_modified_since: str | None, newest: datetime) -> bool:
    """Whether a client that sends `If-Modified-Since`, as an RFC or an ISO date, has the newest entry."""
    if not if_modified_since:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            return newest.timestamp() * 1000 <= time_ms(if_modified_since)
        except QueryInvalid:
            return False
    return newest <= (since if since.tzinfo else since.replace(tzinfo=UTC))


def _description(problem: Problem) -> str:
    return "Invalid/Missing" if problem.kind is problems.GRANT_INVALID else problem.detail


def _refused(status: int, description: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = site_status.refusal(int(status), _REASONS.get(int(status), "Error"), description)
    return _answer(json.dumps(body), _JSON, {"Cache-Control": "no-store", **(headers or {})}, status)


def _json(body: Any) -> Answer:
    return _answer(json.dumps(body, separators=(",", ":")), _JSON)


def _answer(
    body: str, content_type: str, headers: Mapping[str, str] | None = None, status: int = HTTPStatus.OK
) -> Answer:
    return {
        "statusCode": int(status),
        "headers": {**_NO_CACHE, "Content-Type": content_type, **(headers or {})},
        "body": body,
        "isBase64Encoded": False,
    }
