"""What a caller is told who asks too often."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.functions.conftest import World


def test_too_many_logins_started_is_429_with_when_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy, the standing and the wait are headers; nothing is started."""
    world.restarted(monkeypatch, CONNECTIONS_PER_HOUR_MAX="1")
    first, second = (world.invoke("connect", world.event("connect_start")) for _ in range(2))

    assert (first["statusCode"], second["statusCode"]) == (201, 429)
    assert json.loads(second["body"])["type"].endswith("/too-many-requests")
    assert second["headers"]["RateLimit-Policy"] == '"connection";q=1;w=3600'
    wait_s = int(second["headers"]["Retry-After"])
    assert 1 <= wait_s <= 3_600
    assert second["headers"]["RateLimit"] == f'"connection";r=0;t={wait_s}'


def test_a_stranger_uses_up_nobodys_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forbidden is not counted."""
    world.restarted(monkeypatch, CONNECTIONS_PER_HOUR_MAX="1")
    event = world.event("connect_start")
    event["pathParameters"] = {"userId": "somebody-else"}
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/api/bg/somebody-else/connection"

    assert world.invoke("connect", event)["statusCode"] == 403
    assert world.invoke("connect", world.event("connect_start"))["statusCode"] == 201
