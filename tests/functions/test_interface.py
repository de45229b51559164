"""The OpenAPI document: valid, complete, served, and equal to what the code says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from openapi_spec_validator import validate

from tests.functions import api_document
from tests.functions.gateway import Request, routes, send
from tests.support.template_document import resource
from tools.interface.__main__ import API_MD, files
from tools.interface.document import FUNCTIONS, document, needs_token, operations
from tools.interface.errors import every_kind
from tools.interface.texts import with_examples

if TYPE_CHECKING:
    from pathlib import Path

    from bg_ingest.problems import ProblemKind
    from tests.functions.conftest import FunctionsWorld

# Pages for people in a browser and their files, which are not part of the interface for programs.
PAGES = {
    ("GET", "/docs/{asset}"),
    ("GET", "/"),
    ("POST", "/"),
    ("GET", "/signin"),
    ("GET", "/signin/callback"),
    ("GET", "/signout"),
    ("GET", "/see/{token}"),
    ("GET", "/status"),
}
METHODS = ("GET", "POST", "PUT", "DELETE")
# Another service's interface: docs/readers.md describes it.
NIGHTSCOUT = {
    *((method, f"/api/v{version}/{{proxy+}}") for method in METHODS for version in (1, 2)),
    ("GET", "/api/versions"),
}
OF_OTHERS = PAGES | NIGHTSCOUT


def _described() -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, method, _ in operations(document())}


def test_the_document_is_valid_openapi_3_1() -> None:
    """The validator of the OpenAPI project accepts it."""
    validate(document())


def test_template_document_and_docs_have_the_same_routes() -> None:
    """A route that is deployed is also described and listed in docs/api.md, and the other way round."""
    deployed = {(route.method, route.path) for route in routes() if route.method != "HEAD"} - OF_OTHERS
    listed = set(re.findall(r"^\| `(\w+) (/[^`]*)` \|", API_MD.read_text(), re.MULTILINE))

    assert _described() == deployed == listed


def test_every_get_route_is_a_head_route_too() -> None:
    """Both methods of a path have the same function and the same authorizer."""
    by_method: dict[str, set[tuple[str, str, bool]]] = {"GET": set(), "HEAD": set()}
    for route in routes():
        by_method.setdefault(route.method, set()).add((route.path, route.function, route.is_open))

    assert by_method["HEAD"] == by_method["GET"]


def test_every_function_behind_the_gateway_is_described() -> None:
    """A new HTTP function has to be added to the list of the generator."""
    assert {route.function for route in routes()} - {"nightscout", "page"} == set(FUNCTIONS)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_committed_files_are_up_to_date(path: Path) -> None:
    """`make interface` generates them again."""
    assert path.read_text(encoding="utf-8") == files()[path], "run `make interface`"


def test_open_routes_are_described_as_open() -> None:
    """The routes without an authorizer in the template are those without a token in the document."""
    is_open = {(route.method, route.path) for route in routes() if route.is_open}
    deployed = {(method, path) for method, path in is_open if method != "HEAD"} - OF_OTHERS
    open_routes = {
        (method.upper(), path) for path, method, entry in operations(document()) if not needs_token(entry)
    }

    assert open_routes == deployed


def test_every_kind_of_problem_is_described_with_its_status() -> None:
    """Each kind is an error response of some route, and each described kind exists."""
    found = {
        (kind, int(status))
        for _, _, operation in operations(api_document.whole())
        for status, response in operation["responses"].items()
        for kind in re.findall(r"`([\w-]+)`: ", api_document.resolved(response)["description"])
    }

    # A described route is never called with a method that it does not have.
    assert found == {(kind.slug, kind.status) for kind in every_kind()} - {("method-not-allowed", 405)}


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.slug)
def test_each_kind_of_problem_is_listed_in_both_tables(kind: ProblemKind) -> None:
    """The table on the page at /docs and the one in docs/api.md have a row for it."""
    row = f"| {kind.status} | `{kind.slug}` | {kind.title} |"

    assert row in document()["info"]["description"]
    assert row in files()[API_MD]


def test_the_described_limits_are_those_of_the_gateway() -> None:
    """The template throttles at the rate and the burst that the document names."""
    limits = resource("HttpApi")["DefaultRouteSettings"]
    rate, burst = limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]
    words = f"{rate:,} requests a second, in bursts of {burst:,}"

    assert words in " ".join(document()["info"]["description"].split())


def test_every_write_describes_our_own_limit() -> None:
    """Besides the gateway's 429, which has another content type."""
    undescribed = [
        f"{method} {path}"
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in {"post", "put", "delete"}
        and "application/problem+json" not in operation["responses"]["429"].get("content", {})
    ]

    assert undescribed == []


def test_the_document_is_served_and_cached(world: FunctionsWorld) -> None:
    """The response equals the committed file, and is 304 for a caller that has its ETag."""
    _, first = send(world, Request("GET", "/openapi.json"))
    _, again = send(
        world, Request("GET", "/openapi.json", headers={"If-None-Match": first["headers"]["ETag"]})
    )

    assert json.loads(first["body"]) == document()
    assert first["headers"]["Cache-Control"] == "public, max-age=300"
    assert again["statusCode"] == 304


def test_every_route_has_an_example_call() -> None:
    """The call names the method and the path, and a token only if the route needs one."""
    for path, method, operation in operations(document()):
        call = operation["description"]
        url = with_examples(path)
        assert call.endswith(f" $API{url}\n```")
        assert (f"-X {method.upper()} " in call) is (method != "get")
        assert ("$TOKEN" in call) is (needs_token(operation))
