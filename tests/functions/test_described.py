"""Every route under fire from its own description: no answer that is not described, and no 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from tests.functions import described
from tests.functions.gateway import Claims, Request, send
from tests.functions.history import live_in
from tests.functions.made_requests import requests
from tools.interface.document import document, operations, scope_of

if TYPE_CHECKING:
    from tests.functions.conftest import World

SCOPES = {(method.upper(), path): scope_of(entry) for path, method, entry in operations(document())}
ALL = sorted(SCOPES)
GUARDED = sorted(route for route, scope in SCOPES.items() if scope)
every_route = pytest.mark.parametrize(("method", "path"), ALL, ids=map(" ".join, ALL))
every_guarded_route = pytest.mark.parametrize(("method", "path"), GUARDED, ids=map(" ".join, GUARDED))


# `make fuzz` looks long, and elsewhere each time; `make test` does what it did before.
INTENSITY: dict[str, Any] = (
    {} if settings.get_current_profile_name() == "fuzz" else {"max_examples": 15, "derandomize": True}
)


@pytest.fixture
def known(world: World) -> dict[str, list[str]]:
    """What leads to something stored about somebody who has been here for a while."""
    return live_in(world, "demo")


@pytest.mark.fuzz
@every_route
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], **INTENSITY)
@given(data=st.data())
def test_no_request_gets_an_answer_that_is_not_described(
    world: World, known: dict[str, list[str]], method: str, path: str, data: st.DataObject
) -> None:
    """Whatever is sent: a described status, media type, body and header, and never our own fault."""
    request = data.draw(requests(method, path, known))
    route, answer = send(world, request)

    assert (route.method, route.path) == (method, path)
    assert answer["statusCode"] != 500
    described.check(method, path, answer)


def _plain(method: str, path: str, claims: Claims) -> Request:
    address = path.replace("{userId}", "demo").replace("{jobId}", "0" * 28)
    # The one route whose body is not optional: without it the request is refused before its caller is.
    body = '{"poll_interval_seconds": 900}' if path.endswith("/settings") else None
    return Request(method, address, claims, {"prefer": "respond-async"}, body)


@every_guarded_route
def test_a_service_needs_the_scope_that_is_described(world: World, method: str, path: str) -> None:
    """With it the request is answered, with the other one it is forbidden."""
    needed = SCOPES[method, path]
    other = READ_SCOPE if needed == WRITE_SCOPE else WRITE_SCOPE

    _, allowed = send(world, _plain(method, path, {"sub": "a-service", "scope": str(needed)}))
    _, refused = send(world, _plain(method, path, {"sub": "a-service", "scope": other}))

    assert allowed["statusCode"] != 403
    assert refused["statusCode"] == 403


@every_guarded_route
def test_a_person_gets_no_further_than_their_own_data(world: World, method: str, path: str) -> None:
    """Another person is refused, and the person themself is not."""
    _, refused = send(world, _plain(method, path, {"sub": "eve"}))
    _, allowed = send(world, _plain(method, path, {"sub": "demo"}))

    assert refused["statusCode"] == 403
    assert allowed["statusCode"] != 403
