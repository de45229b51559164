"""Addresses of ours that we give to callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bg_ingest.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def address(event: Mapping[str, Any], path: str, query: Mapping[str, str] | None = None) -> str:
    """The full address of a path of ours, as whoever sent this request can reach it."""
    # Not from a header such as X-Forwarded-Host: anybody can send those.
    base = settings().public_url or f"https://{event['requestContext']['domainName']}"
    return f"{base.rstrip('/')}{path}{'?' + urlencode(query) if query else ''}"


def next_link(event: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, str]:
    """The Link header that names the next page of the resource being read (RFC 8288)."""
    return {"Link": f'<{address(event, event["rawPath"], query)}>; rel="next"'}
