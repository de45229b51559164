"""Random requests to every route: each response is described in the OpenAPI document, and none is 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from tests.functions import api_document
from tests.functions.gateway import Claims, Request, send
from tests.functions.request_strategies import requests
from tests.functions.stored_history import store_history
from tools.interface.document import document, needs_token, operations, scope_of

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

SCOPES = {(method.upper(), path): scope_of(entry) for path, method, entry in operations(document())}
ALL = sorted(SCOPES)
GUARDED = sorted(
    (method.upper(), path) for path, method, entry in operations(document()) if needs_token(entry)
)
FOR_SERVICES = [route for route in GUARDED if SCOPES[route]]
SETTINGS = '{"poll_interval_seconds": 900}'
GRANT = '{"label": "watch", "reads": ["readings"], "days": "all"}'
USERS = '{"users": ["demo"]}'
every_route = pytest.mark.parametrize(("method", "path"), ALL, ids=map(" ".join, ALL))
every_guarded_route = pytest.mark.parametrize(("method", "path"), GUARDED, ids=map(" ".join, GUARDED))
every_service_route = pytest.mark.parametrize(
    ("method", "path"), FOR_SERVICES, ids=map(" ".join, FOR_SERVICES)
)


# `make fuzz` tries many new requests each time; `make test` tries the same few.
INTENSITY: dict[str, Any] = (
    {} if settings.get_current_profile_name() == "fuzz" else {"max_examples": 15, "derandomize": True}
)


@pytest.fixture
def known(world: FunctionsWorld) -> dict[str, list[str]]:
    """Values of request parameters that lead to stored items of the user `demo`."""
    return store_history(world, "demo")


@pytest.mark.fuzz
@every_route
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], **INTENSITY)
@given(data=st.data())
def test_every_response_is_described(
    world: FunctionsWorld, known: dict[str, list[str]], method: str, path: str, data: st.DataObject
) -> None:
    """Random requests get only described statuses, media types, bodies and headers, and never 500."""
    request = data.draw(requests(method, path, known))
    route, answer = send(world, request)

    assert (route.method, route.path) == (method, path)
    assert answer["statusCode"] != 500
    api_document.check(method, path, answer)


def _plain(method: str, path: str, claims: Claims) -> Request:
    address = path.replace("{userId}", "demo").replace("{jobId}", "0" * 28).replace("{grantId}", "0" * 28)
    address = address.replace("{exportId}", "0" * 28)
    # The routes with a required body: without it the request is invalid before access is checked.
    bodies = {
        "PUT /api/bg/{userId}/settings": SETTINGS,
        "POST /api/bg/{userId}/grants": GRANT,
        "POST /api/exports": USERS,
    }
    body = bodies.get(f"{method} {path}")
    return Request(method, address, claims, {"prefer": "respond-async"}, body)


@every_service_route
def test_a_service_needs_the_described_scope(world: FunctionsWorld, method: str, path: str) -> None:
    """With the scope the request is allowed, and with the other one it is 403."""
    needed = SCOPES[method, path]
    other = READ_SCOPE if needed == WRITE_SCOPE else WRITE_SCOPE

    _, allowed = send(world, _plain(method, path, {"sub": "a-service", "scope": str(needed)}))
    _, refused = send(world, _plain(method, path, {"sub": "a-service", "scope": other}))

    assert allowed["statusCode"] != 403
    assert refused["statusCode"] == 403


@pytest.mark.parametrize(("method", "path"), sorted(set(GUARDED) - set(FOR_SERVICES)))
def test_no_service_opens_a_route_of_the_user_alone(world: FunctionsWorld, method: str, path: str) -> None:
    """Both scopes together are 403."""
    claims = {"sub": "a-service", "scope": f"{READ_SCOPE} {WRITE_SCOPE}"}
    _, refused = send(world, _plain(method, path, claims))

    assert refused["statusCode"] == 403


@pytest.mark.parametrize(("method", "path"), [route for route in GUARDED if "{userId}" in route[1]])
def test_a_user_token_opens_its_own_data_only(world: FunctionsWorld, method: str, path: str) -> None:
    """Another user gets 403 on every route."""
    _, refused = send(world, _plain(method, path, {"sub": "eve"}))
    _, allowed = send(world, _plain(method, path, {"sub": "demo"}))

    assert refused["statusCode"] == 403
    assert allowed["statusCode"] != 403
