"""The route of changes, which programs follow by its Link header."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.readings.model import Reading
from bg_ingest.wiring import store_parts
from tests.functions.conftest import part
from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

CLAIMS = {"sub": "demo"}


def _get(world: FunctionsWorld, url: str) -> tuple[list[dict[str, Any]], str]:
    _, answer = send(world, Request("GET", url, CLAIMS))
    assert answer["statusCode"] == 200, answer["body"]
    link = answer["headers"]["Link"]
    assert link.endswith('>; rel="next"')
    return json.loads(answer["body"]), link[link.index("/api/bg") : link.index(">")]


def _save(*values: tuple[timedelta, int]) -> None:
    now = SystemClock().now().replace(microsecond=0)
    readings = [Reading(now - age, mg_dl) for age, mg_dl in values]
    part(store_parts.reading_store).save("demo", readings, now)


def test_following_the_link_gives_each_change_once(world: FunctionsWorld) -> None:
    """Pages lead to the end; later the same link gives what has changed since, however old it is."""
    page, link = _get(world, "/api/bg/demo/changes?limit=5")
    found = page
    while page:
        page, link = _get(world, link)
        assert len(page) <= 5
        found += page
    assert len(found) == 12
    assert {change["change"] for change in found} == {"stored"}
    _save((timedelta(days=50), 140))

    ((late,), link) = _get(world, link)

    assert (late["glucose_mg_dl"], late["change"], late["changed_at"]) == (140, "stored", late["stored_at"])
    assert _get(world, link)[0] == []


def test_since_gives_changes_from_an_instant_on(world: FunctionsWorld) -> None:
    """It compares the time of storing, not of measuring."""
    now = SystemClock().now()
    later = (now - timedelta(hours=1)).isoformat().replace("+00:00", "Z")

    assert len(_get(world, f"/api/bg/demo/changes?since={later}")[0]) == 12
    assert len(_get(world, "/api/bg/demo/changes")[0]) == 12


def test_a_user_without_readings_has_a_link_too(world: FunctionsWorld) -> None:
    """So a program can begin before the first reading."""
    _, answer = send(world, Request("GET", "/api/bg/eve/changes", {"sub": "eve"}))

    assert answer["body"] == "[]"
    assert 'rel="next"' in answer["headers"]["Link"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=2099-01-01T00:00:00Z", "since"),
        ("since=yesterday", "since"),
        ("limit=0", "limit"),
        ("limit=2001", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=", "cursor"),
    ],
)
def test_an_invalid_parameter_of_changes_is_named(world: FunctionsWorld, query: str, field: str) -> None:
    """The answer is 422."""
    _, answer = send(world, Request("GET", f"/api/bg/demo/changes?{query}", CLAIMS))

    assert answer["statusCode"] == 422
    assert [each["field"] for each in json.loads(answer["body"])["errors"]] == [field]


def test_the_cursor_of_another_user_is_invalid(world: FunctionsWorld) -> None:
    """It would hide changes."""
    _, link = _get(world, "/api/bg/demo/changes")
    url = link.replace("/demo/", "/eve/")
    _, answer = send(world, Request("GET", url, {"sub": "eve"}))

    assert answer["statusCode"] == 422
