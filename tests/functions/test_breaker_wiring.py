"""The circuit breaker in the wiring: each call is counted for its user, under a pseudonym."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import TryLater
from bg_ingest.wiring import provider_parts, queue_parts
from bg_ingest.wiring.process import process, users_table
from tests.functions.conftest import part

if TYPE_CHECKING:
    from bg_ingest.dynamo import Item
    from tests.functions.conftest import FunctionsWorld


def test_calls_for_a_user_carry_their_pseudonym(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The breaker stores a pseudonym, and not the user id, for calls for data, tokens and subscriptions."""
    world.restarted(monkeypatch, DEXCOM_SUBSCRIPTIONS_PATH="/v3/users/self/subscriptions")
    connection = part(queue_parts.connections).get("demo")
    assert connection is not None
    account = connection.account_at(lambda: math.inf)
    client = part(provider_parts.dexcom).client(account)

    for call in (
        lambda: client.subscriptions.register("token", "https://app.example/hook"),
        lambda: part(provider_parts.vault).refreshed_token(connection, account),
        lambda: client.devices("token"),
    ):
        with suppress(TryLater):
            call()
    kept = _breaker_item()
    assert (kept["suspect"], kept["alone"]) == (account.account_key, True)
    assert "demo" not in str(kept)
    assert kept["suspect_run"] == 5  # One each, and three for the devices: only a GET is retried.


@pytest.mark.usefixtures("world")
def test_a_failed_login_is_counted_without_an_account() -> None:
    """A login has no connection yet, so many failed logins count as an outage."""
    for _ in range(2):  # The outcome of a POST is written before the next call.
        with suppress(TryLater):
            part(provider_parts.dexcom).login.exchange("code")
    kept = _breaker_item()

    assert (kept["failures"], kept["suspect"], kept["alone"]) == (1, None, False)


def _breaker_item() -> Item:
    item = part(users_table).get("app#breaker", process().settings.dexcom_api_base_url)
    assert item is not None
    return item
