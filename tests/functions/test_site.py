"""Requests that match no route."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.wiring.process import process, users_table
from tests.functions.gateway import DEFAULT_ROUTE, Request, routes, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/api"),
        ("PATCH", "/wrong"),
        ("POST", "/healthy"),
        ("GET", "/api/bg/demo/latest/x"),
        ("GET", "/api?limit=1&limit=2"),
    ],
)
def test_an_unknown_route_is_404_with_a_correlation_id(world: FunctionsWorld, method: str, url: str) -> None:
    """The same holds for an unknown method, with or without a token."""
    for claims in (None, {"sub": "demo", "scope": "bg/read bg/write"}):
        route, answer = send(world, Request(method, url, claims, {"X-Correlation-ID": "ticket-4711"}))
        document = json.loads(answer["body"])

        assert route is DEFAULT_ROUTE
        assert (answer["statusCode"], document["type"].rpartition("/")[2]) == (404, "not-found")
        assert document["instance"] == answer["headers"]["X-Correlation-ID"] == "ticket-4711"


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("PATCH", "/api/bg/demo", "DELETE, GET, HEAD, OPTIONS"),
        ("TRACE", "/api/bg/demo/latest?unit=mg/dL&unit=x", "GET, HEAD, OPTIONS"),
        ("DELETE", "/health", "GET, HEAD, OPTIONS"),
        ("PUT", "/api/bg/demo/sync", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/api/bg/demo/webhook", "OPTIONS, POST"),
        ("DELETE", "/", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/api/v1/entries.json", "GET, HEAD, OPTIONS"),
        ("PROPFIND", "/api/v2/properties/bgnow,delta", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_known_path_with_another_method_is_405(
    world: FunctionsWorld, method: str, url: str, allowed: str
) -> None:
    """`Allow` lists the methods of the path in all functions."""
    _, answer = send(world, Request(method, url))

    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allowed)
    assert json.loads(answer["body"])["type"].endswith("/method-not-allowed")


@pytest.mark.parametrize("path", sorted({route.path for route in routes()}))
def test_every_routed_path_is_405_for_patch(world: FunctionsWorld, path: str) -> None:
    """`Allow` names each method of the template, except what the Nightscout API refuses with 401."""
    url = re.sub(r"\{\w+\+?\}", "a", path)
    _, answer = send(world, Request("PATCH", url))
    routed = {route.method for route in routes() if route.path == path}
    refused = {"POST", "PUT", "DELETE"} if path.endswith("{proxy+}") else set()

    assert answer["statusCode"] == 405
    assert set(answer["headers"]["Allow"].split(", ")) == (routed - refused) | {"OPTIONS"}


def test_ready_says_how_the_provider_is_doing(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """During an outage of the provider /ready is still 200: stored readings are served."""

    def shown() -> tuple[int, str]:
        _, answer = send(world, Request("GET", "/ready"))
        return answer["statusCode"], json.loads(answer["body"])["provider"]

    assert shown() == (200, "ok")
    own = process()
    quick = CircuitRules(calls_min=5, settle=timedelta(0))
    breaker = SharedBreaker(own.part(users_table), own.clock, own.settings.dexcom_api_base_url, quick)
    for number in range(6):
        breaker.failed(breaker.permit(f"account-{number}"))
    breaker.share()
    world.restarted(monkeypatch)
    assert shown() == (200, "unavailable")


def test_ready_does_not_depend_on_the_breakers_item(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it cannot be read, then only `provider` is unknown."""
    item = {"pk": "app#breaker", "sk": process().settings.dexcom_api_base_url, "version": 1}
    process().part(users_table).put(item)
    world.restarted(monkeypatch)
    _, answer = send(world, Request("GET", "/ready"))

    assert (answer["statusCode"], json.loads(answer["body"])["provider"]) == (200, "unknown")


def test_a_preflight_request_is_204(world: FunctionsWorld) -> None:
    """A browser accepts no other status; the gateway adds the CORS headers."""
    _, answer = send(world, Request("OPTIONS", "/api/bg/demo/settings", headers={"Origin": "https://x.org"}))

    assert answer["statusCode"] == 204
    assert not any(name.lower().startswith("access-control") for name in answer["headers"])
