"""Range, statistics and profile as of an earlier time, over random histories of saves."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bg_ingest.access.audit import Audit
from bg_ingest.dynamo import Table
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.readings.changes.change_feed import ChangeFeed
from bg_ingest.readings.changes.late_log import LateLog
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from functions.insight.app import build as build_insight
from functions.query.app import build as build_query
from tests.functions.conftest import EVENTS, LambdaContext
from tests.support.fakes import FakeClock
from tests.support.grants import grants_in
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from tests.functions.conftest import FunctionsWorld

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 21, 7, 30, 12, 345_678, tzinfo=UTC)
API = ApiSettings(user_id_claim="sub", public_url="https://api.example.org", return_urls=frozenset())
QUESTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("query_range", {"limit": "1000"}),
    ("query_range", {"from": "2026-11-19T00:00:00Z", "to": "2026-11-23T00:00:00Z", "order": "desc"}),
    ("insight_statistics", {"compare": "previous"}),
    ("insight_statistics", {"from": "2026-11-20", "to": "2026-11-21"}),
    ("insight_profile", {"bin_minutes": "15"}),
)


@dataclass(frozen=True, slots=True)
class AsOfApi:
    """The routes that take `as_of`, over one store in memory."""

    clock: FakeClock
    store: ReadingStore
    query: APIGatewayHttpResolver
    insight: APIGatewayHttpResolver

    @classmethod
    def empty(cls, now: datetime = NOW) -> AsOfApi:
        """Without readings."""
        clock = FakeClock(now)
        store = ReadingStore(Table(MemoryDynamo.client(), "readings"), clock, 730)
        users, intake = (Table(MemoryDynamo.client(), name) for name in ("users", "intake"))
        audit, grants = Audit(users, clock, 365), grants_in(users, intake, clock)
        feed = ChangeFeed(store, LateLog(users, clock), clock)
        return cls(
            clock,
            store,
            build_query(store, feed, audit, grants, clock, API),
            build_insight(store, audit, grants, clock, API),
        )

    def get(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        """The response to a request of the user `demo`."""
        event = json.loads((EVENTS / f"{name}.json").read_text()) | {"queryStringParameters": query}
        app = self.query if name.startswith("query") else self.insight
        context = LambdaContext()
        response: dict[str, Any] = app.resolve(event, context)  # type: ignore[arg-type]  # A stand-in.
        assert response["statusCode"] == 200, response["body"]
        return response

    def answers(self, **as_of: str) -> list[str]:
        """The bodies that answer all questions."""
        return [self.get(name, query | as_of)["body"] for name, query in QUESTIONS]


def readings() -> st.SearchStrategy[Reading]:
    """Readings of the last two days, among few instants, so that many are revised."""
    return st.builds(
        Reading,
        at=st.integers(0, 30).map(lambda n: NOW.replace(second=0, microsecond=0) - n * n * 3 * MINUTE),
        mg_dl=st.sampled_from([39, 69, 70, 110, 181, 401]),
        local_offset_minutes=st.sampled_from([None, 60, 840, -720]),
        kind=st.sampled_from(["cgm", "cgm", "cgm", "manual"]),
    )


Save = tuple[list[Reading], int, int]
saves: st.SearchStrategy[list[Save]] = st.lists(
    st.tuples(st.lists(readings(), max_size=12), st.integers(0, 200), st.integers(1, 40_000)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(saves)
def test_as_of_answers_byte_for_byte_what_was_answered(history: list[Save]) -> None:
    """After late readings and revisions, each earlier response can be requested again."""
    api = AsOfApi.empty()
    answered = [(api.clock.now(), api.answers())]
    for fetched, minutes_ago, later_s in history:
        api.clock.advance(later_s)
        api.store.save("demo", fetched, api.clock.now() - minutes_ago * MINUTE)
        answered.append((api.clock.now(), api.answers()))
    api.clock.advance(86_400)

    for then, bodies in answered:
        assert api.answers(as_of=then.isoformat().replace("+00:00", "Z")) == bodies


def test_pages_as_of_a_time_are_pages_of_that_time() -> None:
    """The link to the next page names the instant, so the pages together are the answer of then."""
    api = AsOfApi.empty()
    start = NOW - timedelta(hours=5)
    api.store.save("demo", [Reading(start + 5 * n * MINUTE, 100 + n) for n in range(0, 40, 2)], NOW)
    asked_at = api.clock.now()
    whole = api.get("query_range", {"limit": "1000"})["body"]
    api.clock.advance(600)
    api.store.save("demo", [Reading(start + 5 * n * MINUTE, 200) for n in range(40)], api.clock.now())

    query: dict[str, str] | None = {"limit": "7", "as_of": asked_at.isoformat()}
    found: list[Any] = []
    while query:
        page = api.get("query_range", query)
        found += json.loads(page["body"])
        link = page["headers"].get("Link", "").partition("?")[2].partition(">")[0]
        query = dict(parse_qsl(link)) or None
    assert found == json.loads(whole)
    assert Counter(reading["revision"] for reading in found) == {0: 20}


def test_expired_readings_are_counted_in_a_header() -> None:
    """The range as of a time before the expiry says how many readings of that time are gone."""
    api = AsOfApi.empty()
    start = NOW.replace(microsecond=0) - timedelta(hours=2)
    api.store.save("demo", [Reading(start + 5 * n * MINUTE, 100 + n) for n in range(20)], NOW)
    query = {"from": start.isoformat(), "to": NOW.isoformat(), "as_of": NOW.isoformat()}
    assert "BG-Removed" not in api.get("query_range", query)["headers"]
    api.clock.advance(730 * 86_400)

    answer = api.get("query_range", query)

    found = json.loads(answer["body"])
    assert answer["headers"]["BG-Removed"] == str(20 - len(found))
    assert 0 < len(found) < 20
    earlier = {**query, "as_of": (start - timedelta(hours=1)).isoformat()}
    assert "BG-Removed" not in api.get("query_range", earlier)["headers"]


@pytest.mark.parametrize("name", ["query_range", "insight_statistics", "insight_profile"])
@pytest.mark.parametrize("as_of", ["2099-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-04-26", ""])
def test_an_invalid_as_of_is_422_and_named(world: FunctionsWorld, name: str, as_of: str) -> None:
    """It is an instant with a zone, not in the future, and not before 1970."""
    event = world.event(name, queryStringParameters={"as_of": as_of})
    response = world.invoke(name.partition("_")[0], event)

    assert response["statusCode"] == 422
    assert [error["field"] for error in json.loads(response["body"])["errors"]] == ["as_of"]


@pytest.mark.parametrize("name", ["query_range", "insight_statistics", "insight_profile"])
def test_the_first_instant_is_answered_without_readings(world: FunctionsWorld, name: str) -> None:
    """As of 1970 there was no reading."""
    event = world.event(name, queryStringParameters={"as_of": "1970-01-01T00:00:00Z"})
    response = world.invoke(name.partition("_")[0], event)

    assert response["statusCode"] == 200
    assert '"readings":0' in response["body"] or response["body"] == "[]"


@pytest.mark.parametrize("revised", [False, True])
def test_the_second_of_storing_counts(revised: bool) -> None:  # noqa: FBT001 - a parameter of the cases.
    """A version that was stored in the very second of `as_of` is served, also if it was revised later."""
    api = AsOfApi.empty(NOW.replace(microsecond=0) - timedelta(hours=2))
    clock = api.clock
    stored_at = clock.now()
    api.store.save("demo", [Reading(stored_at - MINUTE, 110)], stored_at)
    clock.advance(60)
    if revised:
        api.store.save("demo", [Reading(stored_at - MINUTE, 70)], clock.now())
    clock.advance(3600)

    def values(as_of: datetime) -> list[int]:
        body = api.get("query_range", {"as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}"})["body"]
        return [reading["glucose_mg_dl"] for reading in json.loads(body)]

    assert (values(stored_at - timedelta(seconds=1)), values(stored_at)) == ([], [110])
