"""Bodies of error responses. Dexcom documents none of these shapes; each was observed there or is likely."""

from __future__ import annotations

import json
from typing import Any, Literal

BodyShape = Literal[
    "error",
    "error_description",
    "error_and_description",
    "errors",
    "message",
    "faultstring",
    "faultString",
    "html",
    "truncated",
    "empty",
]

_HTML = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def body_of(shape: BodyShape, error: str, message: str) -> tuple[bytes, str]:
    """The bytes and the content type of an error body."""
    if shape == "html":
        return _HTML.format(message).encode(), "text/html; charset=utf-8"
    if shape == "empty":
        return b"", "application/json"
    text = json.dumps(_document(shape, error, message)).encode()
    return truncated(text) if shape == "truncated" else text, "application/json"


def truncated(body: bytes) -> bytes:
    """The first half of a body, as if an intermediary had closed the connection."""
    return body[: len(body) // 2]


def _document(shape: BodyShape, error: str, message: str) -> dict[str, Any]:
    documents: dict[str, dict[str, Any]] = {
        "error": {"error": error},
        "error_description": {"error_description": message},
        "errors": {"errors": [message]},
        "message": {"message": message},
        "faultstring": {"fault": {"faultstring": message, "detail": {"errorcode": error}}},
        "faultString": {"fault": {"faultString": message, "detail": {"errorCode": error}}},
        "error_and_description": {"error": error, "error_description": message},
    }
    return documents.get(shape, documents["error_and_description"])
