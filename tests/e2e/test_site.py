"""Health, version and the description of the interface, from the deployed stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bg_ingest.version import VERSION
from tools.interface.document import document

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.e2e


def test_health_says_which_version_is_running(http: httpx.Client) -> None:
    """Through the front that people use, without a token, and never from a cache."""
    answer = http.get("/health")

    assert answer.json() == {"status": "ok", "version": VERSION}
    assert "no-store" in answer.headers["cache-control"]


def test_anybody_may_read_how_to_ask(http: httpx.Client) -> None:
    """Both forms are open, and the document is the one of this checkout."""
    assert http.get("/openapi.json").json() == document()
    page = http.get("/docs").text
    assert page.startswith("<!doctype html>")
    for url in re.findall(r'(?:href|src)="(docs/[^"]+)"', page):
        assert http.get(f"/{url}").headers["content-encoding"] == "gzip"
