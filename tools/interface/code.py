"""What the code itself says about its routes: their paths, parameters and bodies."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from typing import Any

from bg_ingest.http_api.serving import PUBLIC_NAMES

FUNCTIONS = ("query", "sync", "connect", "webhook", "erase", "site")


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Every route of every HTTP function, by method and path."""
    found = {}
    for document in map(_document, FUNCTIONS):
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                found[method.upper(), _public(path)] = {
                    "parameters": [_parameter(entry) for entry in operation.get("parameters", ())],
                    **({"requestBody": operation["requestBody"]} if "requestBody" in operation else {}),
                }
    return found


def bodies() -> dict[str, Any]:
    """The schemas of what callers send, by name."""
    return {
        name: schema
        for document in map(_document, FUNCTIONS)
        for name, schema in document["components"]["schemas"].items()
        if not name.endswith("ValidationError")  # Powertools' form of a refusal, which ours is not.
    }


@cache
def _document(function: str) -> dict[str, Any]:
    build = importlib.import_module(f"functions.{function}.app").build
    # Routes are described here and not called, so what they work with need not be there.
    app = build(*(None for _ in inspect.signature(build).parameters))
    schema = app.get_openapi_schema(title=function, version="0")
    document: dict[str, Any] = schema.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def _public(path: str) -> str:
    for name, public in PUBLIC_NAMES.items():
        path = path.replace(f"{{{name}}}", f"{{{public}}}")
    return path


def _parameter(entry: dict[str, Any]) -> dict[str, Any]:
    schema = dict(entry["schema"])
    schema.pop("description", None)  # It stands beside the schema already.
    # A parameter is left out; there is no way to send null in an address or a header.
    (kind,) = [choice for choice in schema.pop("anyOf", [{}]) if choice != {"type": "null"}]
    name = PUBLIC_NAMES.get(entry["name"], entry["name"])
    return entry | {
        "name": name.title() if entry["in"] == "header" else name,
        "schema": kind | schema,
    }
