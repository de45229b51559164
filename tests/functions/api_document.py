"""Check of a response against the OpenAPI document: its status, media type, headers and body."""

from __future__ import annotations

import csv
import io
import json
from functools import cache
from typing import Any, get_args

from openapi_schema_validator import OAS31Validator, oas31_format_checker

from bg_ingest.exporting.tables.export_table import GRID_COLUMNS, READING_COLUMNS, ExportTable
from bg_ingest.exporting.tables.tool_columns import Tool, for_tool
from tools.interface.document import document

# Headers that are not described for each response.
_ORDINARY = {
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "Content-Type",
    "Vary",
    "Content-Security-Policy",
    "Referrer-Policy",
}


@cache
def whole() -> dict[str, Any]:
    """Return the document, changed so that an object must not have an undescribed member."""
    closed: dict[str, Any] = _closed(document())
    return closed


def operation(method: str, path: str) -> dict[str, Any]:
    """Return the description of one route."""
    found: dict[str, Any] = whole()["paths"][path][method.lower()]
    return found


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Return what a `$ref` points to, or the part itself."""
    if "$ref" not in part:
        return part
    _, _, group, name = part["$ref"].split("/")
    found: dict[str, Any] = whole()["components"][group][name]
    return found


def check(method: str, path: str, answer: dict[str, Any]) -> None:
    """Fail unless the document describes this response."""
    status = str(answer["statusCode"])
    responses = operation(method, path)["responses"]
    assert status in responses, f"{status} is not described"
    entry = resolved(responses[status])
    assert set(answer["headers"]) - set(entry.get("headers", {})) - _ORDINARY == set(), status
    assert {"X-Correlation-ID", "Cache-Control"} <= set(answer["headers"])
    content = entry.get("content", {})
    if not answer.get("body"):
        # A range without readings has an empty body as ndjson.
        assert not content or "application/x-ndjson" in content, f"{status} has no body"
        return
    media = answer["headers"]["Content-Type"].partition(";")[0]
    assert media in content, f"{media} is not described for {status}"
    if path.endswith("/export"):
        _check_file(media, content[media]["schema"], answer["body"])
    else:
        _check_body(media, content[media]["schema"], answer["body"])


def _check_file(media: str, schema: dict[str, Any], body: str) -> None:
    """An exported file has the same columns in each row: our own, those of the grid, or those of a tool."""
    if media == "application/x-ndjson":
        rows = {tuple(json.loads(line)) for line in body.splitlines()}
        assert len(rows) == 1
        assert rows <= _file_columns()
    elif media == "text/csv":
        header, *lines = csv.reader(io.StringIO(body))
        assert tuple(header) in _file_columns()
        assert {len(line) for line in lines} <= {len(header)}
    else:
        _check_body(media, schema, body)


@cache
def _file_columns() -> set[tuple[str, ...]]:
    own = [ExportTable(columns, [[] for _ in columns]) for columns in (READING_COLUMNS, GRID_COLUMNS)]
    tables = [*own, *(for_tool(table, tool) for table in own for tool in get_args(Tool))]
    return {tuple(column.name for column in table.columns) for table in tables}


def _check_body(media: str, schema: dict[str, Any], body: str) -> None:
    if media == "application/x-ndjson":
        reading = {"$ref": "#/components/schemas/Reading"}
        for line in body.splitlines():
            _validator(reading).validate(json.loads(line))
    elif media == "text/csv":
        assert "glucose_mg_dl" in next(csv.reader(io.StringIO(body)))
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
