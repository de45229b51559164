"""Hypothesis strategies for requests: valid ones made from the OpenAPI document, and hostile ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from tests.functions import api_document
from tests.functions.gateway import Request
from tests.support.leaks import leaks_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

hostile = st.text(min_size=1, max_size=60) | st.sampled_from(
    [
        "..",
        "null",
        "NaN",
        "-1",
        "1e9",
        "9" * 400,
        "'; --",
        "%00",
        "\u0661",
        "a,b",
        "0001-01-01T00:00:00+14:00",
    ]
)
# A correlation id of the caller is logged as it is. Hypothesis also tries words of the source code, such as
# the names of simulated users, and those must not count as leaks.
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60).filter(
    lambda text: not leaks_in(text)
)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_PLAIN = {"null": st.none(), "array": st.lists(any_json, max_size=3)}
accepted = st.sampled_from(["*/*", "text/csv", "application/x-ndjson", "text/html"])
instants = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | st.sampled_from(
    ["2026-04-26T12:00:00Z", "2026-04-27T12:00:00+02:00", "2026-11-21T00:00:00Z"]
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return valid values of a schema, for the kinds of schema that requests have."""
    match api_document.resolved(schema):
        case {"anyOf": choices}:
            return st.one_of([fitting(choice) for choice in choices])
        case {"type": "null" | "array" as kind}:
            return _PLAIN[kind]
        case {"type": "integer", "enum": values}:
            return st.sampled_from(values)
        case {"type": "integer", "minimum": least, "maximum": most}:
            return st.integers(least, most)
        case {"type": "object", "properties": members}:
            optional = {name: fitting(member) for name, member in members.items()}
            return st.fixed_dictionaries({}, optional=optional)
        case {"type": "string"} as text:
            return _texts(text)
    raise ValueError("add this kind of schema here")


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return instants
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return st.text(max_size=min(schema.get("maxLength", 60), 300))


@st.composite
def requests(draw: st.DrawFn, method: str, path: str, known: Mapping[str, Sequence[str]]) -> Request:
    """
    Return a request to one route, from the user it is about, from another user, or from a service.

    `known` has values of parameters that lead to stored items.
    """
    said = api_document.operation(method, path)
    query, headers = {}, {"accept": draw(accepted)}
    if {"grant": []} in said["security"]:
        headers["Authorization"] = draw(st.sampled_from(known["Authorization"]))
    as_service = draw(st.booleans())
    claims = {"sub": "a-service", "scope": f"{READ_SCOPE} {WRITE_SCOPE}"}
    for parameter in map(api_document.resolved, said["parameters"]):
        name = parameter["name"]
        there = [st.sampled_from(known[name])] * 2 if known.get(name) else []
        values = st.one_of(*there, fitting(parameter["schema"]))
        if parameter["in"] == "path":
            value = draw(values | hostile if name == "userId" else values)
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
            if name == "userId" and not as_service:
                claims = {"sub": draw(st.sampled_from([value, value, "another-user"]))}
        elif draw(st.booleans()):
            if parameter["in"] == "query":
                query[name] = str(draw(values | values | hostile))
            else:
                headers[name] = draw(st.one_of(*there, header_text))
    body = draw(st.none() | _bodies(said["requestBody"])) if "requestBody" in said else None
    return Request(method, f"{path}?{urlencode(query)}" if query else path, claims, headers, body)


def _bodies(said: dict[str, Any]) -> st.SearchStrategy[str]:
    schema = said["content"]["application/json"]["schema"]
    return (fitting(schema) | any_json).map(json.dumps) | st.text(max_size=20)
