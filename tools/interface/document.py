"""The OpenAPI document: what the code says about each route, joined with what routes.py says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from bg_ingest.version import VERSION
from tools.interface import code
from tools.interface.prose import ABOUT, HEADERS, REQUEST_HEADERS, TAGS
from tools.interface.refusals import refusals, shared_refusals
from tools.interface.routes import ROUTES, Answer, Entry
from tools.interface.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

_SHAPE = "#/components/schemas/{model}"
_CORRELATION_ID = "X-Correlation-ID"


def document() -> dict[str, Any]:
    """The whole interface as OpenAPI 3.1."""
    described = code.operations()
    if described.keys() != ROUTES.keys():
        raise ValueError(f"not in both the code and routes.py: {described.keys() ^ ROUTES.keys()}")
    paths: dict[str, Any] = {}
    for (method, path), entry in ROUTES.items():
        paths.setdefault(path, {})[method.lower()] = _operation(entry, described[method, path])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BG Ingest",
            "version": VERSION,
            "summary": "Glucose readings from Dexcom, complete and exactly once.",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _tidied(paths),
        "components": {
            "schemas": _tidied(code.bodies() | _shapes(SHAPES, "serialization") | _sent()),
            "responses": shared_refusals(),
            "parameters": {name: _request_header(name) for name in REQUEST_HEADERS},
            "headers": HEADERS,
            "securitySchemes": {
                "person": _bearer("A token that names a person: it opens their own data."),
                "service": _bearer("A token with scopes: it opens everybody's data."),
            },
        },
    }


def _operation(entry: Entry, described: dict[str, Any]) -> dict[str, Any]:
    described = described | _raw_body(entry)
    headers = (*entry.asks_with, _CORRELATION_ID)
    asked = [{"$ref": f"#/components/parameters/{name}"} for name in headers]
    responses = refusals(entry, takes_input=bool(described["parameters"] or "requestBody" in described))
    for answer in entry.answers:
        status = str(answer.status)
        responses[status] = _either(_answer(answer), responses.get(status))
    return described | {
        "operationId": entry.name,
        "tags": [entry.tag],
        "summary": entry.summary,
        "security": [{"person": []}, {"service": [entry.scope]}] if entry.scope else [],
        "parameters": [*described["parameters"], *asked],
        "responses": dict(sorted(responses.items())),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    content: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in answer.texts}
    if "application/json" in content:
        content["application/json"] = {"schema": {"type": "object"}}
    if answer.shape:
        schema: dict[str, Any] = {"$ref": _SHAPE.format(model=answer.shape.__name__)}
        listed = {"type": "array", "items": schema}
        content = {"application/json": {"schema": listed if answer.listed else schema}} | content
    names = (*answer.headers, "Cache-Control", _CORRELATION_ID)
    return {
        "description": answer.description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": content,
    }


def _either(answer: dict[str, Any], problem: dict[str, Any] | None) -> dict[str, Any]:
    """One status may be a page for a person and a problem for a program."""
    if problem is None:
        return answer
    return answer | {
        "description": f"{answer['description']}; {problem['description']}",
        "content": answer["content"] | problem["content"],
    }


def _shapes(models: Sequence[type[BaseModel]], mode: JsonSchemaMode) -> dict[str, Any]:
    _, schema = models_json_schema([(model, mode) for model in models], ref_template=_SHAPE)
    shapes: dict[str, Any] = schema["$defs"]
    return shapes


def _sent() -> dict[str, Any]:
    """The bodies that are read byte for byte, of which Powertools knows nothing."""
    return _shapes([model for entry in ROUTES.values() for model in entry.sends], "validation")


def _raw_body(entry: Entry) -> dict[str, Any]:
    if not entry.sends:
        return {}
    schema = {"anyOf": [{"$ref": _SHAPE.format(model=model.__name__)} for model in entry.sends]}
    content = {"application/json": {"schema": schema}}
    text = "Its proof covers every byte of it"
    return {"requestBody": {"description": text, "content": content, "required": True}}


def _request_header(name: str) -> dict[str, Any]:
    text = REQUEST_HEADERS[name]
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _bearer(text: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}


def _tidied(value: Any) -> Any:
    """Without what pydantic adds and nobody reads: titles made of names, defaults of null, 1000.0."""
    if isinstance(value, list):
        return [_tidied(member) for member in value]
    if isinstance(value, dict):
        return {name: _tidied(member) for name, member in value.items() if not _is_noise(name, member)}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_noise(name: str, member: Any) -> bool:
    return (name == "title" and isinstance(member, str)) or (
        name in {"default", "content"} and member in (None, {})
    )
