"""The host that gets tokens does not depend on what a writer of the table can change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.wiring.process import users_table
from tests.functions.conftest import part
from tests.support.attacker_server import attacker_server

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


@pytest.mark.parametrize("attribute", ["base_url", "environment", "provider"])
def test_a_changed_connection_item_sends_no_token_elsewhere(world: FunctionsWorld, attribute: str) -> None:
    """The attack: one UpdateItem names the attacker's host, then a poll, a sync and a login run."""
    with attacker_server() as (host, got):
        part(users_table).update("demo", "connection", f"SET {attribute} = :host", {":host": host})
        world.invoke("worker", world.event("worker_poll"))
        answer = world.invoke("sync", world.event("sync_start"))
        started = world.invoke("connect", world.event("connect_start"))

    assert got == []
    assert answer["statusCode"] in {500, 503}
    assert host not in json.dumps(started)


@pytest.mark.parametrize("change", ["SET environment = :value", "SET generation = :value"])
def test_tokens_of_a_changed_item_do_not_open(world: FunctionsWorld, change: str) -> None:
    """Another region of the table, or an older generation, does not fit the seal: nothing is sent."""
    value: Any = 7 if "generation" in change else "us"
    part(users_table).update("demo", "connection", change, {":value": value})

    assert world.invoke("sync", world.event("sync_start"))["statusCode"] == 500
