"""Rate limits of callers: 429 and its headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.functions.conftest import FunctionsWorld


def test_too_many_started_logins_are_429(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The headers have the limit, what is left of it and the time to wait; no login is started."""
    world.restarted(monkeypatch, CONNECTIONS_PER_HOUR_MAX="1")
    first, second = (world.invoke("connect", world.event("connect_start")) for _ in range(2))

    assert (first["statusCode"], second["statusCode"]) == (201, 429)
    assert json.loads(second["body"])["type"].endswith("/too-many-requests")
    assert second["headers"]["RateLimit-Policy"] == '"connection";q=1;w=3600'
    wait_s = int(second["headers"]["Retry-After"])
    assert 1 <= wait_s <= 3_600
    assert second["headers"]["RateLimit"] == f'"connection";r=0;t={wait_s}'


def test_a_forbidden_request_does_not_count_for_a_limit(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller without access cannot use up the limit."""
    world.restarted(monkeypatch, CONNECTIONS_PER_HOUR_MAX="1")
    event = world.event("connect_start")
    event["pathParameters"] = {"userId": "another-user"}
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/api/bg/another-user/connection"

    assert world.invoke("connect", event)["statusCode"] == 403
    assert world.invoke("connect", world.event("connect_start"))["statusCode"] == 201
