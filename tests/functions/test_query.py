"""What the read endpoints answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.functions.conftest import World

NOT_INSTANTS = [
    "yesterday",
    "2026-04-26",
    "2026-04-26T12:00:00",
    "0001-01-01T00:00:00+14:00",
    "9" * 30,
    "",
    "\u0661",
]


def _get(world: World, path: str = "", **query: str) -> dict[str, Any]:
    event = world.event("query_latest" if path else "query_range", queryStringParameters=query)
    answer: dict[str, Any] = world.invoke("query", event)
    return answer


def _problem(answer: dict[str, Any]) -> tuple[int, str]:
    document = json.loads(answer["body"])
    return answer["statusCode"], document["type"].rpartition("/")[2]


def test_latest_has_the_newest_value_and_its_age(world: World) -> None:
    """Everything API.md promises is there."""
    latest = json.loads(_get(world, "latest")["body"])

    assert latest["glucose_mg_dl"] == 100
    assert 0 <= latest["age_seconds"] < 60
    assert latest["device"] == {"generation": "g7", "display": "iOS", "app": "G7"}
    assert latest["revision"] == 0


def test_a_range_is_oldest_first(world: World) -> None:
    """A day, unless a range is named."""
    values = [reading["glucose_mg_dl"] for reading in json.loads(_get(world)["body"])]

    assert values == list(range(111, 99, -1))


def test_mmol_is_an_extra(world: World) -> None:
    """The value in mg/dL stays."""
    latest = json.loads(_get(world, "latest", unit="mmol/L")["body"])

    assert (latest["glucose_mg_dl"], latest["glucose_mmol_l"]) == (100, 5.6)


def test_pages_follow_their_links(world: World) -> None:
    """Five at a time, newest first, nothing twice and nothing left out."""
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
def test_who_has_it_already_gets_304(world: World, path: str) -> None:
    """Also for latest, whose age changes while its reading does not."""
    query = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"} if not path else {}
    first = _get(world, path, **query)
    event = world.event("query_latest" if path else "query_range", queryStringParameters=query)
    event["headers"] |= {"if-none-match": f'"other", W/{first["headers"]["ETag"]}'}
    again = world.invoke("query", event)

    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"]["ETag"] == first["headers"]["ETag"]


def test_another_unit_is_another_answer(world: World) -> None:
    """A validator of one form does not stand for another."""
    assert _get(world, "latest")["headers"]["ETag"] != _get(world, "latest", unit="mmol/L")["headers"]["ETag"]


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("text", NOT_INSTANTS)
def test_what_is_no_instant_is_refused_by_name(world: World, field: str, text: str) -> None:
    """The answer names the field and repeats nothing of it."""
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
def test_what_cannot_be_asked_is_a_problem(world: World, query: dict[str, str], slug: str) -> None:
    """422, never 5xx."""
    assert _problem(_get(world, **query)) == (422, slug)


def test_ninety_two_days_are_not_too_long(world: World) -> None:
    """The longest range that may be asked for."""
    answer = _get(world, **{"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:00Z"})

    assert answer["statusCode"] == 200


@pytest.mark.parametrize("user_id", ["", "-ada", "a b", "a/b", "ä", "x" * 129, "../demo", "demo\n"])
def test_what_is_no_user_id_is_refused(world: World, user_id: str) -> None:
    """A service that mistypes one gets 4xx."""
    event = world.event(
        "query_latest", rawPath=f"/api/bg/{user_id}/latest", pathParameters={"userId": user_id}
    )
    event["requestContext"]["http"]["path"] = event["rawPath"]
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"scope": "bg/read"}

    assert 400 <= world.invoke("query", event)["statusCode"] < 500


def test_a_service_asking_about_nobody_sees_no_difference(world: World) -> None:
    """A user without data and one who does not exist look the same."""
    event = world.event("query_forbidden")
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= {"scope": "bg/read"}

    assert _problem(world.invoke("query", event)) == (404, "no-readings")


def test_lines_of_json_are_served_when_asked_for(world: World) -> None:
    """One reading a line."""
    event = world.event("query_range", queryStringParameters={})
    event["headers"] |= {"accept": "application/x-ndjson"}
    answer = world.invoke("query", event)

    lines = [json.loads(line) for line in answer["body"].splitlines()]
    assert (len(lines), answer["headers"]["Content-Type"]) == (12, "application/x-ndjson")


def test_nobody_may_keep_what_is_read(world: World) -> None:
    """Shared caches never, the person's own only with a question each time."""
    assert _get(world, "latest")["headers"]["Cache-Control"] == "private, no-cache"
