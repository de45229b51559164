"""The HTTP API in front of the functions: it turns a request into the event that a function receives."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.template_document import template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.functions.conftest import FunctionsWorld

Claims = dict[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """One route of template.yaml."""

    method: str
    path: str
    function: str
    is_open: bool

    def parameters(self, path: str) -> dict[str, str] | None:
        """Return the path parameters; None if the path does not match."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", pattern)
        found = re.fullmatch(pattern, path)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `claims` are those of a valid token, None means no token."""

    method: str
    url: str
    claims: Claims | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None


# The route for requests that match no other; tests/e2e sends them through an emulated gateway.
DEFAULT_ROUTE = Route("ANY", "$default", "site", is_open=True)


def routes() -> list[Route]:
    """Return every route of template.yaml that has a path."""
    return [
        Route(
            properties["Method"],
            properties["Path"],
            name.removesuffix("Function").lower(),
            properties.get("Auth") == {"Authorizer": "NONE"},
        )
        for name, entry in template()["Resources"].items()
        if entry["Type"] == "AWS::Serverless::Function"
        for event in entry["Properties"]["Events"].values()
        if event["Type"] == "HttpApi" and "Path" in (properties := event["Properties"])
    ]


def send(world: FunctionsWorld, request: Request) -> tuple[Route, dict[str, Any]]:
    """Return the route of a request and the response; fail where the gateway itself would respond 401."""
    address = urlsplit(request.url)
    matches = [
        (route, found)
        for route in routes()
        if route.method == request.method and (found := route.parameters(address.path)) is not None
    ]
    ((route, parameters),) = matches or [(DEFAULT_ROUTE, {})]
    assert route.is_open or request.claims is not None, "the gateway responds 401"
    path = unquote(address.path)
    query: dict[str, str] = {}
    for name, value in parse_qsl(address.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    event = world.event(
        "site_health",
        routeKey=route.path if route is DEFAULT_ROUTE else f"{route.method} {route.path}",
        rawPath=path,
        rawQueryString=address.query,
        headers={name.lower(): value for name, value in request.headers.items()},
        pathParameters=parameters,
        queryStringParameters=query,
    )
    if request.body is not None:
        event["body"] = request.body
    event["requestContext"]["http"] |= {"method": request.method, "path": path}
    if request.claims is not None and not route.is_open:
        event["requestContext"]["authorizer"] = {"jwt": {"claims": request.claims, "scopes": None}}
    answer: dict[str, Any] = world.invoke(route.function, event)
    return route, answer
