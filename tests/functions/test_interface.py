"""The description of the HTTP interface: valid, complete, served, and the same as the code."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from openapi_spec_validator import validate

from tests.functions import described
from tests.functions.gateway import Request, routes, send
from tests.support.template_document import resource
from tools.interface.__main__ import API_MD, SITE, files
from tools.interface.code import FUNCTIONS, operations
from tools.interface.document import document
from tools.interface.refusals import every_kind
from tools.interface.routes import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

    from bg_ingest.problems import ProblemKind
    from tests.functions.conftest import World

PAGE = SITE / "docs.html"


def _listed_in_docs() -> set[tuple[str, str]]:
    return {
        (method, path)
        for method, path in re.findall(r"^\| `(\w+) (/[^`]*)` \|", API_MD.read_text(), re.MULTILINE)
    }


def test_the_document_is_valid() -> None:
    """It is OpenAPI 3.1, as others understand it."""
    validate(document())


def test_the_same_routes_are_everywhere() -> None:
    """In the code, the template, the document, and docs/api.md."""
    coded = set(operations())
    deployed = {(route.method, route.path) for route in routes()}
    documented = {
        (method.upper(), path) for path, methods in document()["paths"].items() for method in methods
    }

    assert coded == deployed == documented == _listed_in_docs()


def test_every_function_behind_the_gateway_is_described() -> None:
    """None is forgotten by the description."""
    assert {route.function for route in routes()} == set(FUNCTIONS)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_what_is_committed_is_what_the_code_says(path: Path) -> None:
    """`make interface` brings it up to date."""
    assert path.read_text(encoding="utf-8") == files()[path], "run `make interface`"


def test_what_asks_for_a_token_is_described_so() -> None:
    """The template's open routes are the document's open routes."""
    opened = {(route.method, route.path) for route in routes() if route.is_open}

    assert opened == {route for route, entry in ROUTES.items() if entry.scope is None}


def test_every_kind_of_problem_is_an_answer_of_some_route() -> None:
    """With its own status; none is described that does not exist."""
    said = {
        (kind, int(status))
        for methods in described.whole()["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        for kind in re.findall(r"`([\w-]+)`: ", described.resolved(answer)["description"])
    }

    assert said == {(kind.slug, kind.status) for kind in every_kind()}


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.slug)
def test_a_kind_of_problem_is_explained_where_people_read(kind: ProblemKind) -> None:
    """In the page and in docs/api.md, with its status."""
    page, prose = files()[PAGE], files()[API_MD]

    assert f'id="problem-{kind.slug}"' in page
    assert f"| {kind.status} | `{kind.slug}` |" in prose


def test_the_gateways_limits_are_the_described_ones() -> None:
    """Requests a second, and the burst."""
    limits = resource("HttpApi")["DefaultRouteSettings"]
    rate, burst = limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]
    words = f"{rate:,} requests a second, in bursts of {burst:,}"

    assert words in " ".join(document()["info"]["description"].split())


def test_the_document_is_served_to_everybody(world: World) -> None:
    """As it stands in the checkout, and not again to who has it."""
    _, first = send(world, Request("GET", "/openapi.json"))
    _, again = send(
        world, Request("GET", "/openapi.json", headers={"If-None-Match": first["headers"]["ETag"]})
    )

    assert json.loads(first["body"]) == document()
    assert first["headers"]["Cache-Control"] == "public, max-age=300"
    assert again["statusCode"] == 304
