"""The description of the interface, from the deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.interface.document import document

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.e2e


def test_anybody_may_read_how_to_ask(http: httpx.Client) -> None:
    """Both forms are open, and the document is the one of this checkout."""
    assert http.get("/openapi.json").json() == document()
    assert http.get("/docs").text.startswith("<!doctype html>")
