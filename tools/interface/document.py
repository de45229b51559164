"""
OpenAPI 3.1 document of the whole HTTP API: the descriptions of all functions, merged.

Each function describes its routes in its app.py. Powertools makes one document for each function and merges
them. This module then adds what the routes share: error responses, request headers and examples.
"""

from __future__ import annotations

import importlib
import inspect
import json
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.models import License, Tag
from pydantic import BaseModel, TypeAdapter
from typing_extensions import is_typeddict

from bg_ingest.http_api.description import PROBLEMS, REQUEST_HEADERS, SERVICE
from bg_ingest.http_api.serving import PUBLIC_NAMES
from bg_ingest.version import VERSION
from tools.interface import errors, texts
from tools.interface.errors import GatewayRefusalJson, ProblemJson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FUNCTIONS = ("query", "insight", "export", "sync", "connect", "webhook", "erase", "grants", "status", "site")
# The published names of three schemas differ from their classes: a rename would break generated clients.
_PUBLISHED_NAMES = {"JobKind": "Kind", "JobStatus": "Status", "AuditOutcome": "Outcome"}

Part = dict[str, Any]


@cache
def document() -> Part:
    """Return the document; it must not be changed, because every caller gets the same one."""
    schemes = {name: _bearer(text) for name, text in texts.TOKENS.items()}
    merge = OpenAPIMerge(
        title="BG Ingest",
        version=VERSION,
        openapi_version="3.1.0",
        summary="Glucose readings from Dexcom, complete and exactly once.",
        description=texts.ABOUT,
        tags=[Tag(name=name, description=text) for name, text in texts.TAGS.items()],
        license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
        on_conflict="error",
    )
    for name in FUNCTIONS:
        merge.add_schema(_document_of(_module(name), schemes))
    merged = merge.get_openapi_schema()
    for path, method, operation in operations(merged):
        _complete(operation, method, path)
    sent = merged["components"]["schemas"].items()
    components = {
        # Without Powertools' form of a validation error, which this API never sends.
        "schemas": {name: one for name, one in sent if not name.endswith("ValidationError")} | _schemas(),
        "responses": errors.shared_responses(),
        "parameters": {
            name: {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
            for name, text in texts.REQUEST_HEADERS.items()
        },
        "headers": texts.RESPONSE_HEADERS,
        "securitySchemes": schemes,
    }
    cleaned: Part = _cleaned(merged | {"components": components})
    return cleaned


def operations(document: Part) -> Iterator[tuple[str, str, Part]]:
    """Return path, method in lower case and description of every route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def needs_token(operation: Part) -> bool:
    """Return whether the gateway checks a token before this route."""
    return any(choice.keys() & {"person", "service"} for choice in operation["security"])


def scope_of(operation: Part) -> str | None:
    """Return the scope that a service token needs for a route; None if no service token opens it."""
    return next((choice["service"][0] for choice in operation["security"] if "service" in choice), None)


def _module(function: str) -> ModuleType:
    return importlib.import_module(f"functions.{function}.app")


def _document_of(module: ModuleType, schemes: Part) -> Part:
    # No route runs here, so none of the objects that the routes work with has to exist.
    app = module.build(*(None for _ in inspect.signature(module.build).parameters))
    schema = app.get_openapi_schema(title=module.__name__, version=VERSION, security_schemes=schemes)
    text = json.dumps(schema.model_dump(mode="json", by_alias=True, exclude_none=True))
    for name, public in PUBLIC_NAMES.items():
        text = text.replace(f"{{{name}}}", f"{{{public}}}").replace(
            f'"name": "{name}"', f'"name": "{public}"'
        )
    parsed: Part = json.loads(text)
    return parsed


def _complete(operation: Part, method: str, path: str) -> None:
    """Add what many routes share, in place of the notes that `describe` has left."""
    operation.setdefault("security", [])
    headers = [{"$ref": f"#/components/parameters/{name}"} for name in operation.pop(REQUEST_HEADERS)]
    own = [_parameter(entry) for entry in operation.get("parameters", ())]
    kinds = [errors.KINDS[slug] for slug in operation.pop(PROBLEMS)]
    responses = {status: entry for status, entry in operation["responses"].items() if status != "422"}
    problems = errors.error_responses(
        kinds,
        guarded=needs_token(operation),
        needs_aws=SERVICE not in operation["tags"],
    )
    for status, entry in problems.items():
        responses[status] = _either(responses[status], entry) if status in responses else entry
    operation["parameters"] = own + headers
    operation["responses"] = dict(sorted(responses.items()))
    operation["description"] = _example_call(operation, method, path)


def _parameter(entry: Part) -> Part:
    schema = dict(entry["schema"])
    schema.pop("description", None)  # The parameter has the same description.
    examples = schema.pop("examples", None)
    # A caller leaves an optional parameter out: a URL or header has no null.
    (kind,) = [choice for choice in schema.pop("anyOf", [{}]) if choice != {"type": "null"}]
    name = entry["name"].title() if entry["in"] == "header" else entry["name"]
    example = {"example": examples[0]} if examples else {}
    return entry | {"name": name, "schema": kind | schema} | example


def _either(page: Part, problem: Part) -> Part:
    """Describe a status that is a page for a browser and a problem document for a program."""
    description = f"{page['description']}; {problem['description']}"
    return page | {"description": description, "content": page["content"] | problem["content"]}


def _example_call(operation: Part, method: str, path: str) -> str:
    """Return a call that can be typed; docs/api.md says how to get $API and $TOKEN."""
    words = ["curl"]
    if method != "get":
        words.append(f"-X {method.upper()}")
    if needs_token(operation):
        words.append('-H "Authorization: Bearer $TOKEN"')
    elif operation["security"]:
        words.append('-H "Authorization: Bearer $GRANT"')
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    words += [f"-d '{json.dumps(example['value'])}'" for example in content.get("examples", {}).values()]
    url = texts.with_examples(path)
    return f"```sh\n{' '.join(words)} $API{url}\n```"


def _schemas() -> Part:
    """Return the schemas of all bodies: TypedDicts for responses, pydantic models for raw request bodies."""
    modules = [vars(_module(name)).values() for name in FUNCTIONS]
    bodies = [body for body in chain(*modules) if is_typeddict(body)]
    raw = [body for body in chain(*modules) if inspect.isclass(body) and issubclass(body, BaseModel)]
    _, schema = TypeAdapter.json_schemas(
        [(body, "serialization", TypeAdapter(body)) for body in (*bodies, ProblemJson, GatewayRefusalJson)]
        + [(body, "validation", TypeAdapter(body)) for body in raw],
        ref_template="#/components/schemas/{model}",
    )
    renamed = {name: _PUBLISHED_NAMES.get(name, name.removesuffix("Json")) for name in schema["$defs"]}
    text = json.dumps({renamed[name]: entry for name, entry in schema["$defs"].items()})
    for name, public in renamed.items():
        text = text.replace(f'schemas/{name}"', f'schemas/{public}"')
    parsed: Part = json.loads(text)
    return parsed


def _bearer(text: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}


def _cleaned(value: Any) -> Any:
    """Leave out what pydantic adds without need: titles made of names, defaults of null, 1000.0 for 1000."""
    if isinstance(value, list):
        return [_cleaned(member) for member in value]
    if isinstance(value, dict):
        return {name: _cleaned(member) for name, member in value.items() if not _is_noise(name, member)}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_noise(name: str, member: Any) -> bool:
    if name == "title":
        return isinstance(member, str) and member != "BG Ingest"
    return name in {"default", "content"} and member in (None, {})
