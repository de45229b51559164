"""Holds an answer to the OpenAPI document: its status, media type, headers, and the shape of its body."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker

from tools.interface.document import document

# Said of every answer, or of every page, and not worth a line at each.
_ORDINARY = {"Content-Type", "Vary", "Content-Security-Policy", "Referrer-Policy"}


@cache
def whole() -> dict[str, Any]:
    """The document, with objects that may have no member it does not name."""
    closed: dict[str, Any] = _closed(document())
    return closed


def operation(method: str, path: str) -> dict[str, Any]:
    """What is said about one route."""
    found: dict[str, Any] = whole()["paths"][path][method.lower()]
    return found


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for, or the thing itself."""
    if "$ref" not in part:
        return part
    _, _, group, name = part["$ref"].split("/")
    found: dict[str, Any] = whole()["components"][group][name]
    return found


def check(method: str, path: str, answer: dict[str, Any]) -> None:
    """Fail unless the answer is one that the document describes."""
    status = str(answer["statusCode"])
    responses = operation(method, path)["responses"]
    assert status in responses, f"{status} is not described"
    said = resolved(responses[status])
    assert set(answer["headers"]) <= set(said.get("headers", {})) | _ORDINARY
    assert {"X-Correlation-ID", "Cache-Control"} <= set(answer["headers"])
    content = said.get("content", {})
    if not answer.get("body"):
        # No readings are no lines.
        assert not content or "application/x-ndjson" in content, f"{status} has no body"
        return
    media = answer["headers"]["Content-Type"].partition(";")[0]
    assert media in content, f"{media} is not described for {status}"
    _check_body(media, content[media]["schema"], answer["body"])


def _check_body(media: str, schema: dict[str, Any], body: str) -> None:
    if media == "application/x-ndjson":
        reading = {"$ref": "#/components/schemas/Reading"}
        for line in body.splitlines():
            _validator(reading).validate(json.loads(line))
    elif media == "text/csv":
        assert {"timestamp", "glucose_mg_dl"} <= set(next(csv.reader(io.StringIO(body))))
    elif media.endswith("json"):
        _validator(schema).validate(json.loads(body))


def _validator(schema: dict[str, Any]) -> OAS31Validator:
    return OAS31Validator(schema | {"components": whole()["components"]}, format_checker=oas31_format_checker)


def _closed(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed(member) for member in value]
    if not isinstance(value, dict):
        return value
    inside = {name: _closed(member) for name, member in value.items()}
    is_object = value.get("type") == "object" and "properties" in value
    return inside | {"additionalProperties": False} if is_object else inside
