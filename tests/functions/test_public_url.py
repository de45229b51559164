"""The URLs in responses: the address of the gateway or the setting PUBLIC_URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

EVIL = dict.fromkeys(
    ("Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Host"),
    "evil.example.org",
)


@pytest.mark.parametrize("public_url", ["", "https://api.example.org"])
def test_urls_in_responses_ignore_request_headers(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, public_url: str
) -> None:
    """Neither the link to the next page nor the URL of a job uses a host that the caller sent."""
    world.restarted(monkeypatch, PUBLIC_URL=public_url)
    asked = {"prefer": "respond-async"}
    _, page = send(world, Request("GET", "/api/bg/demo?limit=1", {"sub": "demo"}, EVIL))
    _, job = send(world, Request("POST", "/api/bg/demo/sync", {"sub": "demo"}, EVIL | asked))

    for address in (page["headers"]["Link"].removeprefix("<"), job["headers"]["Location"]):
        assert "evil" not in address
        assert address.startswith(f"{public_url or 'https://'}")
