"""A user with two sources in the list of users, and in the operator's numbers: counted once, by the best."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import rfc_3339
from bg_ingest.providers.seam import Endpoint
from bg_ingest.wiring import queue_parts
from bg_ingest.wiring.process import process, users_table
from tests.functions.conftest import part
from tests.functions.gateway import Request, send
from tests.support.logins import save_login

if TYPE_CHECKING:
    from datetime import datetime

    from tests.functions.conftest import FunctionsWorld

USER = "demo"  # Connected to Dexcom.
SERVICE = {"sub": "a-service", "scope": "bg/read"}


@pytest.fixture
def now(world: FunctionsWorld) -> datetime:  # noqa: ARG001 - the stores are its own.
    """The demo user has a Nightscout as well, whose readings are newer."""
    now = process().clock.now().replace(microsecond=0)
    endpoint = Endpoint("nightscout", "own-site")
    connected = save_login(
        part(queue_parts.connections),
        USER,
        endpoint,
        b"sealed",
        data_from=now,
        source="nightscout",
        relays=True,
    )
    assert connected.source == "nightscout"
    states = part(queue_parts.states)
    states.start_polling(USER, 300, now, "nightscout")
    for source, age in (("", timedelta(hours=5)), ("nightscout", timedelta(minutes=4))):
        state = states.get(USER, source)
        assert state
        states.record_newest(state, now - age)
    return now


def _get(world: FunctionsWorld, path: str) -> Any:
    _, answer = send(world, Request("GET", path, SERVICE))
    assert answer["statusCode"] == 200, answer["body"]
    return json.loads(answer["body"])


def _refuse(source: str) -> None:
    connections = part(queue_parts.connections)
    connected = connections.get(USER, source)
    assert connected
    assert connections.mark_needs_reauth(USER, connected.generation, source)


def _fail(source: str, error: str, at: datetime) -> None:
    key = f"sync#{source}" if source else "sync"
    values = {":error": {"type": error, "at": at.isoformat()}}
    part(users_table).update(USER, key, "SET last_error = :error", values)


def test_the_list_shows_each_source_and_the_best_state(world: FunctionsWorld, now: datetime) -> None:
    """The sensor's own provider is the main one while it is connected; the newest data is of any source."""
    relayed_until, own_until = rfc_3339(now - timedelta(minutes=4)), rfc_3339(now - timedelta(hours=5))
    dexcom = {"provider": "dexcom", "connection": "connected", "data_until": own_until}
    nightscout = {"provider": "nightscout", "connection": "connected", "data_until": relayed_until}
    shown = {"user_id": USER, "connection": "connected", "data_until": relayed_until}

    assert _get(world, "/api/bg") == [shown | {"provider": "dexcom", "sources": [dexcom, nightscout]}]

    _refuse("")
    refused = dexcom | {"connection": "needs_reauth"}
    assert _get(world, "/api/bg") == [shown | {"provider": "nightscout", "sources": [nightscout, refused]}]

    _refuse("nightscout")
    (user,) = _get(world, "/api/bg")
    assert (user["connection"], user["provider"]) == ("needs_reauth", "dexcom")


def test_the_numbers_count_the_user_once_and_each_source(world: FunctionsWorld, now: datetime) -> None:
    """The user is connected as long as one source is; failures and states are those of each provider."""
    _fail("", "Throttled", now)
    _fail("nightscout", "Throttled", now - timedelta(minutes=1))
    numbers = _get(world, "/api/status")

    assert numbers["users"] == {"counted": 1, "more": False, "by_state": {"connected": 1}}
    assert numbers["sources"] == {"dexcom": {"connected": 1}, "nightscout": {"connected": 1}}
    assert {name: count for name, count in numbers["newest_reading"].items() if count} == {
        "up to 30 minutes": 1
    }
    assert [(each["provider"], each["type"], each["users"]) for each in numbers["failures"]] == [
        ("dexcom", "Throttled", 1),
        ("nightscout", "Throttled", 1),
    ]

    _refuse("nightscout")
    numbers = _get(world, "/api/status")
    assert numbers["users"]["by_state"] == {"connected": 1}
    assert numbers["sources"] == {"dexcom": {"connected": 1}, "nightscout": {"needs_reauth": 1}}
    # Only a connected source makes its data current.
    assert {name for name, count in numbers["newest_reading"].items() if count} == {"up to 6 hours"}
