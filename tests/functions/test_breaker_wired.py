"""The circuit breaker of the functions gets the pseudonym of the account of each call."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import TryLater
from bg_ingest.settings import settings
from bg_ingest.wiring import provider, stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.dynamo import Item
    from tests.functions.conftest import World


def test_call_for_an_account_has_its_pseudonym(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed calls for data, tokens and webhooks are stored with the account's pseudonym."""
    world.restarted(monkeypatch, DEXCOM_SUBSCRIPTIONS_PATH="/v3/users/self/subscriptions")
    connection = stores.connections().get("demo")
    assert connection is not None
    client = provider.client_for(connection)

    for call in (
        lambda: client.subscriptions.register("token", "https://app.example/hook"),
        lambda: provider.vault().access_token("demo", rejected="access"),
        lambda: client.devices("token"),
    ):
        stored = _stored_after(call)
        assert (stored["suspect"], stored["alone"]) == (account_key(connection), True)
        assert "demo" not in str(stored)
    assert stored["failures"] == 5  # One each, and three for the GET, which is retried.


@pytest.mark.usefixtures("world")
def test_call_for_a_login_has_no_account() -> None:
    """A login has no connection yet, so its failure counts for all accounts."""
    stored = _stored_after(lambda: provider.oauth(settings().dexcom_api_base_url).exchange("code"))

    assert (stored["failures"], stored["suspect"], stored["alone"]) == (1, None, False)


def _stored_after(call: Callable[[], object]) -> Item:
    with suppress(TryLater):
        call()
    item = stores.users_table().get("app#breaker", settings().dexcom_api_base_url)
    assert item is not None
    return item
