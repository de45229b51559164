"""Unknown and repeated query parameters, on every kind of route."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.gateway import Claims, Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

DEMO: Claims = {"sub": "demo"}


def _faults(world: FunctionsWorld, url: str, method: str = "GET") -> list[dict[str, str]]:
    _, answer = send(world, Request(method, url, DEMO))
    assert answer["statusCode"] == 422, answer["body"]
    document: dict[str, Any] = json.loads(answer["body"])
    assert document["type"].endswith("/invalid-request")
    faults: list[dict[str, str]] = document["errors"]
    return faults


@pytest.mark.parametrize(
    ("query", "name", "nearest"),
    [
        ("start=2026-04-26T00:00:00Z", "start", "from"),
        ("end=2026-04-26T00:00:00Z", "end", "to"),
        ("From=2026-04-26T00:00:00Z", "From", "from"),
        ("limits=5", "limits", "limit"),
        ("units=mmol/L", "units", "unit"),
        ("sort=desc", "sort", "order"),
    ],
)
def test_an_unknown_parameter_names_the_nearest(
    world: FunctionsWorld, query: str, name: str, nearest: str
) -> None:
    """The reading routes ignored them before, and answered the last 24 hours."""
    (fault,) = _faults(world, f"/api/bg/demo?{query}")

    assert fault["field"] == name
    assert f"did you mean `{nearest}`?" in fault["reason"]


@pytest.mark.parametrize("value", ["1", "null", "desc", ""])
def test_a_repeated_parameter_is_422(world: FunctionsWorld, value: str) -> None:
    """Each was an internal error, or one of the values was ignored."""
    (fault,) = _faults(world, f"/api/bg/demo?limit={value}&limit={value}")

    assert fault == {"field": "limit", "reason": "must not be repeated"}


def test_a_number_with_a_comma_is_422(world: FunctionsWorld) -> None:
    """Powertools passes it on as a list."""
    (fault,) = _faults(world, "/api/bg/demo?limit=1,2")

    assert fault["field"] == "limit"


def test_a_name_that_is_not_plain_is_not_repeated(world: FunctionsWorld) -> None:
    """A caller may have put a glucose value or a token in its place."""
    (fault,) = _faults(world, "/api/bg/demo?110%20mg=1")

    assert fault["field"] == "query"
    assert "110" not in fault["reason"]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/health?a=1"),
        ("GET", "/api/bg/demo/latest?limit=1"),
        ("GET", "/api/bg/demo/sync?limit=1"),
        ("POST", "/api/bg/demo/sync?from=2026-04-26T00:00:00Z"),
        ("DELETE", "/api/bg/demo?dry_run=true"),
        ("DELETE", "/api/bg/demo/connection?x"),
    ],
)
def test_every_route_refuses_unknown_parameters(world: FunctionsWorld, method: str, url: str) -> None:
    """The erasure with `dry_run=true` would erase everything."""
    (fault,) = _faults(world, url, method)

    assert "is not a parameter of this route" in fault["reason"]


def test_a_caller_without_access_gets_403_first(world: FunctionsWorld) -> None:
    """The names of a query are checked after the caller."""
    for query in ("start=1", "limit=1&limit=2", "limit=x&start=1"):
        _, answer = send(world, Request("GET", f"/api/bg/eve?{query}", DEMO))
        assert answer["statusCode"] == 403


def test_the_callback_ignores_parameters_of_a_provider(world: FunctionsWorld) -> None:
    """OAuth requires that a client ignores what it does not know."""
    url = "/oauth/callback?state=wrong&code=c&session_state=s&iss=i"
    _, answer = send(world, Request("GET", url, headers={"Accept": "application/json"}))

    assert answer["statusCode"] == 400


def test_all_faults_of_a_query_come_together(world: FunctionsWorld) -> None:
    """A caller sees them at once; a parameter is named once."""
    faults = _faults(world, "/api/bg/demo?start=x&limit=a&limit=b&order=up")

    assert [fault["field"] for fault in faults] == ["start", "limit", "order"]
