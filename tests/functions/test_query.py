"""The query function: the newest reading, ranges, pages and caching."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.readings.model import Reading
from bg_ingest.wiring import store_parts
from tests.functions.conftest import part
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

NOT_INSTANTS = [
    "yesterday",
    "2026-04-26",
    "2026-04-26T12:00:00",
    "0001-01-01T00:00:00+14:00",
    "9" * 30,
    "",
    "\u0661",
]


def _get(world: FunctionsWorld, path: str = "", **query: str) -> dict[str, Any]:
    event = world.event("query_latest" if path else "query_range", queryStringParameters=query)
    answer: dict[str, Any] = world.invoke("query", event)
    return answer


def _problem(answer: dict[str, Any]) -> tuple[int, str]:
    document = json.loads(answer["body"])
    return answer["statusCode"], document["type"].rpartition("/")[2]


def test_latest_returns_the_newest_reading_and_its_age(world: FunctionsWorld) -> None:
    """The response has the value, the age, the device and the revision."""
    latest = json.loads(_get(world, "latest")["body"])

    assert latest["glucose_mg_dl"] == 100
    assert 0 <= latest["age_seconds"] < 60
    assert latest["device"] == {"generation": "g7", "display": "iOS", "app": "G7"}
    assert latest["revision"] == 0
    stored_at, expected_at = (datetime.fromisoformat(latest[at]) for at in ("stored_at", "next_expected_at"))
    assert expected_at - stored_at == timedelta(minutes=5)


def test_a_reading_from_the_future_hides_no_real_one(world: FunctionsWorld) -> None:
    """A device whose clock is 20 hours ahead sent it; the newest real reading is a minute old at most."""
    now = SystemClock().now().replace(microsecond=0)
    part(store_parts.reading_store).save("demo", [Reading(now + timedelta(hours=20), 45)], now)

    latest = json.loads(_get(world, "latest")["body"])

    assert (latest["glucose_mg_dl"], latest["age_seconds"] < 60) == (100, True)


def test_a_reading_is_at_least_as_old_as_its_storing(world: FunctionsWorld) -> None:
    """The only reading there is comes from the future, and was stored two hours ago."""
    now = SystemClock().now().replace(microsecond=0)
    store = part(store_parts.reading_store)
    before = replace(store, clock=FakeClock(now - timedelta(hours=2)))
    before.save("eve", [Reading(now + timedelta(hours=20), 45)], now - timedelta(hours=2))

    event = world.event("query_latest", pathParameters={"userId": "eve"}, rawPath="/api/bg/eve/latest")
    event["requestContext"]["authorizer"]["jwt"]["claims"] = {"sub": "eve"}
    latest = json.loads(world.invoke("query", event)["body"])

    assert latest["glucose_mg_dl"] == 45
    assert 7200 <= latest["age_seconds"] < 7260


def test_a_range_is_sorted_oldest_first(world: FunctionsWorld) -> None:
    """Without a range in the query it is the last 24 hours."""
    values = [reading["glucose_mg_dl"] for reading in json.loads(_get(world)["body"])]

    assert values == list(range(111, 99, -1))


def test_mmol_adds_a_value_beside_mg_dl(world: FunctionsWorld) -> None:
    """The value in mg/dL stays in the response."""
    latest = json.loads(_get(world, "latest", unit="mmol/L")["body"])

    assert (latest["glucose_mg_dl"], latest["glucose_mmol_l"]) == (100, 5.6)


def test_following_the_links_returns_every_reading_once(world: FunctionsWorld) -> None:
    """Pages of five, newest first, return all twelve readings."""
    values: list[int] = []
    sizes: list[int] = []
    query = {"limit": "5", "order": "desc"}
    while query:
        page = _get(world, **query)
        values += [reading["glucose_mg_dl"] for reading in json.loads(page["body"])]
        sizes.append(len(json.loads(page["body"])))
        link = page["headers"].get("Link", "")
        query = dict(
            pair.split("=", 1) for pair in link[1:].split(">")[0].partition("?")[2].split("&") if pair
        )
        query = {name: value.replace("%3A", ":").replace("%2F", "/") for name, value in query.items()}

    assert values == list(range(100, 112))
    assert sizes == [5, 5, 2]


@pytest.mark.parametrize("path", ["", "latest"])
def test_an_unchanged_response_is_304(world: FunctionsWorld, path: str) -> None:
    """The same holds for the newest reading, whose age changes while the reading does not."""
    query = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"} if not path else {}
    first = _get(world, path, **query)
    event = world.event("query_latest" if path else "query_range", queryStringParameters=query)
    event["headers"] |= {"if-none-match": f'"other", W/{first["headers"]["ETag"]}'}
    again = world.invoke("query", event)

    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"]["ETag"] == first["headers"]["ETag"]


def test_each_unit_has_its_own_etag(world: FunctionsWorld) -> None:
    """The ETag of one unit is never accepted for the other."""
    assert _get(world, "latest")["headers"]["ETag"] != _get(world, "latest", unit="mmol/L")["headers"]["ETag"]


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("text", NOT_INSTANTS)
def test_an_invalid_time_is_422_and_names_the_field(world: FunctionsWorld, field: str, text: str) -> None:
    """The response does not repeat the value."""
    answer = _get(world, **{field: text})

    assert _problem(answer) == (422, "invalid-request")
    assert json.loads(answer["body"])["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ({"limit": "0"}, "invalid-request"),
        ({"limit": "1001"}, "invalid-request"),
        ({"limit": "ten"}, "invalid-request"),
        ({"order": "sideways"}, "invalid-request"),
        ({"unit": "stone"}, "invalid-request"),
        ({"cursor": "made-up"}, "invalid-request"),
        ({"cursor": "x" * 201}, "invalid-request"),
        ({"from": "2026-04-02T00:00:00Z", "to": "2026-04-01T00:00:00Z"}, "invalid-request"),
        ({"to": "0001-01-01T00:00:00Z"}, "invalid-request"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:01Z"}, "range-too-long"),
    ],
)
def test_an_invalid_query_is_422(world: FunctionsWorld, query: dict[str, str], slug: str) -> None:
    """Each invalid parameter is the caller's error, never a 5xx."""
    assert _problem(_get(world, **query)) == (422, slug)


def test_a_range_of_92_days_is_allowed(world: FunctionsWorld) -> None:
    """It is the longest range of one request."""
    answer = _get(world, **{"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:00Z"})

    assert answer["statusCode"] == 200


@pytest.mark.parametrize("user_id", ["", "-ada", "a b", "a/b", "ä", "x" * 129, "../demo", "demo\n"])
def test_an_invalid_user_id_is_4xx(world: FunctionsWorld, user_id: str) -> None:
    """A service that mistypes a user id gets a client error."""
    event = world.event(
        "query_latest", rawPath=f"/api/bg/{user_id}/latest", pathParameters={"userId": user_id}
    )
    event["requestContext"]["http"]["path"] = event["rawPath"]
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"sub": "a-service", "scope": "bg/read"}

    assert 400 <= world.invoke("query", event)["statusCode"] < 500


def test_latest_of_an_unknown_user_is_404(world: FunctionsWorld) -> None:
    """A user without readings and one who does not exist get the same response."""
    event = world.event("query_forbidden")
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"sub": "a-service", "scope": "bg/read"}

    assert _problem(world.invoke("query", event)) == (404, "no-readings")


def test_accept_ndjson_returns_one_reading_per_line(world: FunctionsWorld) -> None:
    """The response has twelve lines and the media type that was accepted."""
    event = world.event("query_range", queryStringParameters={})
    event["headers"] |= {"accept": "application/x-ndjson"}
    answer = world.invoke("query", event)

    lines = [json.loads(line) for line in answer["body"].splitlines()]
    assert (len(lines), answer["headers"]["Content-Type"]) == (12, "application/x-ndjson")


def test_readings_must_be_revalidated_before_each_use(world: FunctionsWorld) -> None:
    """No shared cache may store them, and the caller's own client has to revalidate."""
    assert _get(world, "latest")["headers"]["Cache-Control"] == "private, no-cache"
