"""The setting DEXCOM_SUBSCRIPTIONS_PATH in the wiring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import NotOffered
from bg_ingest.settings import SettingsInvalid
from bg_ingest.wiring import provider_parts, queue_parts
from bg_ingest.wiring.process import process
from tests.functions.conftest import part

if TYPE_CHECKING:
    from bg_ingest.providers.dexcom.client import DexcomClient
    from tests.functions.conftest import FunctionsWorld


def test_subscriptions_use_the_configured_path(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of a function has the path of the setting."""
    world.restarted(monkeypatch, DEXCOM_SUBSCRIPTIONS_PATH="/v3/users/self/subscriptions")

    assert _client().subscriptions.path == "/v3/users/self/subscriptions"


@pytest.mark.parametrize("environment", [{}, {"DEXCOM_SUBSCRIPTIONS_PATH": ""}])
def test_subscriptions_without_a_path_are_not_offered(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """An empty setting is the same as none."""
    world.restarted(monkeypatch, **environment)

    with pytest.raises(NotOffered):
        _client().subscriptions.listed("token")


@pytest.mark.parametrize("path", ["subscriptions", "/", "/a?b=c", "https://elsewhere.test/hooks"])
def test_an_invalid_subscriptions_path_is_rejected(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The error names the setting before any request is sent."""
    world.restarted(monkeypatch, DEXCOM_SUBSCRIPTIONS_PATH=path)

    with pytest.raises(SettingsInvalid, match="DEXCOM_SUBSCRIPTIONS_PATH"):
        process()


def _client() -> DexcomClient:
    connection = part(queue_parts.connections).get("demo")
    assert connection is not None
    return part(provider_parts.dexcom).client(connection.account_at(lambda: math.inf))
