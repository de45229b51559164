"""What is no route at all: the service's own answer instead of the gateway's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functions.gateway import ANYTHING_ELSE, Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import World


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "/"), ("PATCH", "/api/bg/demo"), ("POST", "/health"), ("GET", "/api/bg/demo/latest/x")],
)
def test_what_is_no_route_is_a_problem_with_an_id(world: World, method: str, url: str) -> None:
    """404, for a path nobody has and for a method that a path has not, with or without a token."""
    for claims in (None, {"sub": "demo", "scope": "bg/read bg/write"}):
        route, answer = send(world, Request(method, url, claims, {"X-Correlation-ID": "ticket-4711"}))
        document = json.loads(answer["body"])

        assert route is ANYTHING_ELSE
        assert (answer["statusCode"], document["type"].rpartition("/")[2]) == (404, "not-found")
        assert document["instance"] == answer["headers"]["X-Correlation-ID"] == "ticket-4711"


def test_a_browser_that_asks_beforehand_is_not_told_it_is_lost(world: World) -> None:
    """AWS hands OPTIONS to this route, and browsers take no answer but a good one; AWS adds who may call."""
    _, answer = send(world, Request("OPTIONS", "/api/bg/demo/settings", headers={"Origin": "https://x.org"}))

    assert answer["statusCode"] == 204
    assert not any(name.lower().startswith("access-control") for name in answer["headers"])
