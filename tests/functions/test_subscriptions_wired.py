"""Webhook subscriptions are configuration: a path, or the clear answer that there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import NotOffered
from bg_ingest.settings import SettingsInvalid, settings
from bg_ingest.wiring import provider, stores

if TYPE_CHECKING:
    from bg_ingest.accounts.connection import Connection
    from tests.functions.conftest import World


def test_they_are_at_the_configured_path(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the clients that a function makes."""
    world.restarted(monkeypatch, DEXCOM_SUBSCRIPTIONS_PATH="/v3/users/self/subscriptions")

    client = provider.client_for(_connection())
    assert client.subscriptions.path == "/v3/users/self/subscriptions"


@pytest.mark.parametrize("environment", [{}, {"DEXCOM_SUBSCRIPTIONS_PATH": ""}])
def test_without_a_path_there_are_none(
    world: World, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """A parameter of the template that was left empty is none, too."""
    world.restarted(monkeypatch, **environment)

    with pytest.raises(NotOffered):
        provider.client_for(_connection()).subscriptions.listed("token")


@pytest.mark.parametrize("path", ["subscriptions", "/", "/a?b=c", "https://elsewhere.test/hooks"])
def test_what_is_no_path_stops_the_function(world: World, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """With the setting's name, before anybody is asked."""
    world.restarted(monkeypatch, DEXCOM_SUBSCRIPTIONS_PATH=path)

    with pytest.raises(SettingsInvalid, match="DEXCOM_SUBSCRIPTIONS_PATH"):
        settings()


def _connection() -> Connection:
    connection = stores.connections().get("demo")
    assert connection is not None
    return connection
