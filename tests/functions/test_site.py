"""Requests that match no route."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functions.gateway import DEFAULT_ROUTE, Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "/"), ("PATCH", "/api/bg/demo"), ("POST", "/health"), ("GET", "/api/bg/demo/latest/x")],
)
def test_an_unknown_route_is_404_with_a_correlation_id(world: FunctionsWorld, method: str, url: str) -> None:
    """The same holds for an unknown method, with or without a token."""
    for claims in (None, {"sub": "demo", "scope": "bg/read bg/write"}):
        route, answer = send(world, Request(method, url, claims, {"X-Correlation-ID": "ticket-4711"}))
        document = json.loads(answer["body"])

        assert route is DEFAULT_ROUTE
        assert (answer["statusCode"], document["type"].rpartition("/")[2]) == (404, "not-found")
        assert document["instance"] == answer["headers"]["X-Correlation-ID"] == "ticket-4711"


def test_a_preflight_request_is_204(world: FunctionsWorld) -> None:
    """A browser accepts no other status; the gateway adds the CORS headers."""
    _, answer = send(world, Request("OPTIONS", "/api/bg/demo/settings", headers={"Origin": "https://x.org"}))

    assert answer["statusCode"] == 204
    assert not any(name.lower().startswith("access-control") for name in answer["headers"])
