"""Access to every route of the deployed template, for every kind of caller.

The routes come from the template as CloudFormation processed it, so a new route is included
automatically. They are deployed a second time for an issuer of the tests, whose key is needed to sign a
token that is invalid in one way only. The emulated gateway checks signature, issuer, audience and times.
docs/security.md lists the further checks of AWS.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.gateway import DEFAULT, create_routes
from local.waiting import wait_until
from tests.e2e import issuer as issuers
from tests.e2e.issuer import AUDIENCE, Issuer, tampered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.gateway import RouteSpec
    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

# The expected answer to each caller about one unknown user: 401, 403, or "in" for any other status. A read is
# a GET or HEAD about one user, or an export in the background; "all" is one about all users. Open routes have
# no token and no user in their path. A route with a user and without a token authenticates its requests
# itself; none of these requests passes that. No service has access to the grants.
# Only a reader has access to the shared routes, and to nothing else. Callers with access to writes come last:
# they erase the person, and the grants with the person.
#
#                             read, write, all, own check, open, grants, shared
ANSWERS = {
    "no token":               ("401", "401", "401", "401", "in", "401", "401"),
    "no JWT":                 ("401", "401", "401", "401", "in", "401", "401"),
    "expired":                ("401", "401", "401", "401", "in", "401", "401"),
    "not valid yet":          ("401", "401", "401", "401", "in", "401", "401"),
    "wrong audience":         ("401", "401", "401", "401", "in", "401", "401"),
    "wrong issuer":           ("401", "401", "401", "401", "in", "401", "401"),
    "of the real user pool":  ("401", "401", "401", "401", "in", "401", "401"),
    "tampered":               ("401", "401", "401", "401", "in", "401", "401"),
    "alg: none":              ("401", "401", "401", "401", "in", "401", "401"),
    "alg: HS256":             ("401", "401", "401", "401", "in", "401", "401"),
    "a stranger's key":       ("401", "401", "401", "401", "in", "401", "401"),
    "a grant of a person":    ("401", "401", "401", "401", "in", "401", "in"),
    "a revoked grant":        ("401", "401", "401", "401", "in", "401", "401"),
    "another person":         ("403", "403", "403", "401", "in", "403", "401"),
    "has no user":            ("403", "403", "403", "401", "in", "403", "401"),
    "a person with scopes":   ("403", "403", "403", "401", "in", "403", "401"),
    "person of a service":    ("403", "403", "403", "401", "in", "403", "401"),
    "an unnamed service":     ("403", "403", "403", "401", "in", "403", "401"),
    "service, no scope":      ("403", "403", "403", "401", "in", "403", "401"),
    "service, other scope":   ("403", "403", "403", "401", "in", "403", "401"),
    "service, bg/read":       ("in", "403", "in", "401", "in", "403", "401"),
    "service, bg/write":      ("403", "in", "403", "401", "in", "403", "401"),
    "the person":             ("in", "in", "403", "401", "in", "in", "401"),
}  # fmt: skip
# It takes the session of a browser and no token: see tests/functions/test_page.py.
PAGE_FORM = "POST /"
PERSON = "una"
GRANTING_PERSON = "gwen"  # Some callers erase PERSON, and then all grants of PERSON.
TOO_MANY = 429
_COLUMNS = ("read", "write", "all", "own check", "open", "grants", "shared")
_BODIES = {
    "/settings": {"poll_interval_seconds": 900},
    "/grants": {"label": "watch", "reads": ["readings"], "days": "all"},
}  # Refused before the token is checked, because the request has none.


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """Return an issuer whose key the tests have."""
    with issuers.running() as running:
        yield running


@pytest.fixture(scope="module")
def routes(cloud: Stack, issuer: Issuer) -> list[tuple[RouteSpec, str]]:
    """Return every route of the template and its address with this issuer's authorizer."""
    gateway = cloud.emulator.client("apigatewayv2")
    api_id = gateway.create_api(Name="of-the-tests-issuer", ProtocolType="HTTP")["ApiId"]
    made = create_routes(cloud.emulator, api_id, issuer.url, [AUDIENCE])
    base = f"{cloud.emulator.endpoint}/_aws/execute-api/{api_id}/$default"
    return [(route, base + _path(route)) for route in made]


@pytest.fixture(scope="module")
def tokens(cloud: Stack, issuer: Issuer) -> dict[str, str | None]:
    """Return a token of each kind of caller."""
    other = "bg bg/ bg/reader bg/read,bg openid"
    good, long_ago, soon = issuer.token(PERSON), 1_600_000_000, 4_000_000_000
    return {
        "no token": None,
        "no JWT": "nonsense",
        "expired": issuer.token(PERSON, exp=long_ago + 600, iat=long_ago, nbf=long_ago),
        "not valid yet": issuer.token(PERSON, nbf=soon, exp=soon + 600),
        "wrong audience": issuer.token(PERSON, aud="another-service"),
        "wrong issuer": issuer.token(PERSON, iss="https://issuer.example.org"),
        "of the real user pool": cloud.callers.token(PERSON),
        "tampered": tampered(issuer.token("eve"), username=PERSON),
        "alg: none": issuer.unsigned(PERSON),
        "alg: HS256": issuer.signed_with_the_public_key(PERSON),
        "a stranger's key": issuer.signed_by_another_key(PERSON),
        "another person": issuer.token("eve"),
        "has no user": issuer.token("", username=None),
        "a person with scopes": issuer.token("eve", "bg/read bg/write"),
        "person of a service": issuer.token("eve", "bg/read bg/write", sub="subject-of-a-service"),
        "an unnamed service": issuer.token("another-service", "bg/read bg/write", username=None),
        "service, no scope": issuer.token("a-service", username=None),
        "service, other scope": issuer.token("a-service", other, username=None),
        "service, bg/read": issuer.token("a-service", "openid bg/read", username=None),
        "service, bg/write": issuer.token("a-service", "bg/write", username=None),
        "the person": good,
        "a grant of a person": _grant(cloud),
        "a revoked grant": _grant(cloud, revoked=True),
    }


def _grant(cloud: Stack, *, revoked: bool = False) -> str:
    headers = {"Authorization": f"Bearer {cloud.callers.token(GRANTING_PERSON)}"}
    wanted = {"label": "watch", "reads": ["readings", "statistics", "completeness"], "days": "all"}
    with httpx.Client(base_url=cloud.api, headers=headers, timeout=60, trust_env=False) as person:
        made = person.post(f"/api/bg/{GRANTING_PERSON}/grants", json=wanted).json()
        if revoked:
            assert person.delete(f"/api/bg/{GRANTING_PERSON}/grants/{made['grant_id']}").status_code == 204
    token: str = made["token"]
    return token


@pytest.fixture(scope="module")
def door() -> Iterator[httpx.Client]:
    """Return an HTTP client for all routes."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("caller", ANSWERS)
def test_every_route_answers_each_caller_by_the_table(
    routes: list[tuple[RouteSpec, str]], tokens: dict[str, str | None], door: httpx.Client, caller: str
) -> None:
    """The authorizer's answer matches the table for every route and caller."""
    expected = dict(zip(_COLUMNS, ANSWERS[caller], strict=True))
    wrong = {}
    for route, url in routes:
        if route.key == PAGE_FORM:
            continue
        answer = _asked(door, route, url, tokens[caller])
        if caller == "a grant of a person" and _is_slowed(answer):
            answer = _asked_again(door, route, url, tokens[caller])
        if _seen(answer) != expected[_column(route)]:
            wrong[route.key] = answer.status_code

    assert wrong == {}


def test_the_table_covers_every_kind_of_route(routes: list[tuple[RouteSpec, str]]) -> None:
    """The table has readers, writers and open routes; the last row is for an unknown route."""
    assert {"read", "write", "all", "open"} <= {_column(route) for route, _ in routes} <= set(_COLUMNS)
    assert [route.key for route, _ in routes].count(DEFAULT) == 1


def test_refused_caller_changes_and_learns_nothing(
    routes: list[tuple[RouteSpec, str]], tokens: dict[str, str | None], door: httpx.Client
) -> None:
    """A refused caller gets the same answer for a known and an unknown user, and no data changes."""
    for route, url in routes:
        if _column(route) not in {"read", "write", "grants"}:
            continue
        about = [url, url.replace(f"/{PERSON}", "/demo")]
        one, other = (_asked(door, route, address, tokens["another person"]) for address in about)

        assert _without_instance(one) == _without_instance(other)


def test_emulated_gateway_accepts_a_token_without_exp(
    routes: list[tuple[RouteSpec, str]], issuer: Issuer, door: httpx.Client
) -> None:
    """The emulated gateway accepts a missing `exp`; AWS documents that `exp` must be in the future.

    docs/security.md names this difference.
    """
    endless = issuer.token(PERSON, exp=None)
    answers = [_asked(door, *route, endless) for route in routes if _column(route[0]) == "read"]

    assert {_seen(answer) for answer in answers} == {"in"}


def _without_instance(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    problem = answer.json() if answer.content else {}  # An answer to HEAD has no body.
    problem.pop("instance", None)
    return answer.status_code, problem


def _asked(door: httpx.Client, route: RouteSpec, url: str, token: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    body: Any = next((body for ending, body in _BODIES.items() if route.path.endswith(ending)), None)
    # The $default route has every method, so this uses one that no other route has.
    method = "PATCH" if route.path == DEFAULT else route.method
    return door.request(method, url, headers=headers, json=body)


def _path(route: RouteSpec) -> str:
    path = "/nothing/of/ours" if route.path == DEFAULT else route.path
    path = path.replace("v1/{proxy+}", "v1/entries.json").replace("v2/{proxy+}", "v2/properties")
    return re.sub(r"\{(job|grant|export)Id\}", "0" * 28, path.replace("{userId}", PERSON))


def _column(route: RouteSpec) -> str:
    if "/grants" in route.path:
        return "grants"
    if route.path.startswith("/api/shared"):
        return "shared"
    if route.path.endswith("{proxy+}"):  # Of the Nightscout facade, which refuses every write.
        return "shared" if route.method in {"GET", "HEAD"} else "own check"
    if route.needs_token and "{userId}" not in route.path:
        return "all"
    if route.needs_token:
        return "read" if route.method in {"GET", "HEAD"} or "/exports" in route.path else "write"
    return "own check" if "{userId}" in route.path else "open"


def _asked_again(door: httpx.Client, route: RouteSpec, url: str, token: str | None) -> httpx.Response:
    # The wrong tokens of the callers before slow down this address for some seconds, also for a valid grant.
    answers = []

    def is_answered() -> bool:
        answers.append(_asked(door, route, url, token))
        return not _is_slowed(answers[-1])

    assert wait_until(is_answered, 30)
    return answers[-1]


def _is_slowed(answer: httpx.Response) -> bool:
    return answer.status_code == TOO_MANY and '"wrong-secrets"' in answer.headers.get("ratelimit-policy", "")


def _seen(answer: httpx.Response) -> str:
    if _is_slowed(answer):
        return "401"  # A wrong token of a reader, after many others.
    refused = answer.status_code in {401, 403}
    return str(answer.status_code) if refused else "in"
