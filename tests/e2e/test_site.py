"""Health, version and API description of the deployed stack."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from bg_ingest.version import VERSION
from tools.interface.document import document

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.e2e


def test_health_says_which_version_is_running(http: httpx.Client) -> None:
    """The public address answers without a token, and the answer is never cached."""
    answer = http.get("/health")

    assert answer.json() == {"status": "ok", "version": VERSION}
    assert "no-store" in answer.headers["cache-control"]


def test_api_document_and_page_need_no_token(http: httpx.Client) -> None:
    """The document equals this checkout's, and the page's files have the hashes that it names."""
    assert http.get("/openapi.json").json() == document()
    page = http.get("/docs").text
    assert page.startswith("<!doctype html>")
    for url, integrity in re.findall(r'(?:href|src)="(docs/[^"]+)" integrity="sha256-([^"]+)"', page):
        digest = hashlib.sha256(http.get(f"/{url}").content).digest()
        assert base64.b64encode(digest).decode() == integrity
