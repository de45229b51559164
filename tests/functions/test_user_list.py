"""The list of users, which services read page by page."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.wiring import provider_parts, queue_parts
from bg_ingest.wiring.erase_parts import eraser
from tests.functions.conftest import part
from tests.functions.gateway import Request, send
from tests.support.logins import store_tokens

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

SERVICE = {"sub": "a-service", "scope": "bg/read"}


def _log_in(*user_ids: str) -> None:
    now = SystemClock().now().replace(microsecond=0)
    for user_id in user_ids:
        tokens = Tokens("access", "refresh", now + timedelta(hours=2))
        endpoint = Endpoint("dexcom", "sandbox")
        store_tokens(part(provider_parts.vault), user_id, endpoint, tokens, data_from=now)


def _pages(world: FunctionsWorld, limit: int) -> list[list[dict[str, Any]]]:
    pages, url = [], f"/api/bg?limit={limit}"
    while url:
        _, answer = send(world, Request("GET", url, SERVICE))
        assert answer["statusCode"] == 200, answer["body"]
        pages.append(json.loads(answer["body"]))
        query = answer["headers"].get("Link", "").partition("?")[2].partition(">")[0]
        url = f"/api/bg?{query}" if dict(parse_qsl(query)) else ""
    return pages


def test_the_list_names_every_user_once_in_order(world: FunctionsWorld) -> None:
    """The pages together hold each user who ever connected, sorted by id, in pages of any size."""
    _log_in("carol", "Bob", "a.b:c-d_e", "0")
    expected = ["0", "Bob", "a.b:c-d_e", "carol", "demo"]

    for limit in (1, 2, 5, 200):
        pages = _pages(world, limit)
        assert [user["user_id"] for page in pages for user in page] == expected
        assert all(len(page) <= limit for page in pages)


def test_a_listed_user_shows_state_and_newest_data(world: FunctionsWorld) -> None:
    """A disconnected user stays in the list; `data_until` is null as long as nothing is stored."""
    _log_in("carol")
    now = SystemClock().now().replace(microsecond=0)
    state = part(queue_parts.states).get("demo")
    assert state
    part(queue_parts.states).record_newest(state, now)
    part(queue_parts.connections).disconnect("carol")

    ((carol, demo),) = _pages(world, 50)

    assert carol == {
        "user_id": "carol",
        "connection": "disconnected",
        "provider": "dexcom",
        "data_until": None,
        "sources": [{"provider": "dexcom", "connection": "disconnected", "data_until": None}],
    }
    assert demo["connection"] == "connected"
    assert demo["data_until"] == now.isoformat().replace("+00:00", "Z")


def test_an_erased_user_is_not_listed(world: FunctionsWorld) -> None:
    """The erasure removes the item that lists the user."""
    _log_in("carol")
    part(eraser).erase("carol", lambda: 60.0)

    assert [user["user_id"] for (user,) in _pages(world, 50)] == ["demo"]


def test_an_old_connection_is_listed_after_its_next_refresh(world: FunctionsWorld) -> None:
    """Such an item has no `seat`; the next refresh of its tokens adds it."""
    connections = part(queue_parts.connections)
    connections.table.update("demo", "connection", "REMOVE seat", {})
    assert _pages(world, 50) == [[]]
    connection = connections.get("demo")
    assert connection
    assert connection.sealed_tokens
    connections.save_refreshed("demo", connection.generation, connection.sealed_tokens)

    assert [user["user_id"] for (user,) in _pages(world, 50)] == ["demo"]


@pytest.mark.parametrize("claims", [{"sub": "demo"}, {"sub": "a-service", "scope": "bg/write"}])
@pytest.mark.parametrize("query", ["", "?limit=0", "?unknown=1"])
def test_the_list_needs_the_scope_for_all_users(
    world: FunctionsWorld, claims: dict[str, str], query: str
) -> None:
    """A user's own token and the scope to write are 403, also for an invalid request."""
    _, answer = send(world, Request("GET", f"/api/bg{query}", claims))

    assert answer["statusCode"] == 403
    assert "`bg/read`" in json.loads(answer["body"])["detail"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=%21", "cursor=ZGVtbw%3D%3D", "cursor="]
)
def test_an_invalid_parameter_of_the_list_is_named(world: FunctionsWorld, query: str) -> None:
    """Sizes from 1 to 200 and cursors of this API are valid, and nothing else."""
    _, answer = send(world, Request("GET", f"/api/bg?{query}", SERVICE))

    assert answer["statusCode"] == 422
    assert [each["field"] for each in json.loads(answer["body"])["errors"]] == [query.partition("=")[0]]
