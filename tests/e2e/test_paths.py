"""Paths nobody meant: tricks to get at another person's data, and what is no route at all."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import ORIGIN, PATIENT
from tests.support import path_tricks

if TYPE_CHECKING:
    from email.message import Message

    import httpx

    from local.stack import Stack

pytestmark = pytest.mark.e2e

_PROBLEM = "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_path_leads_to_somebody_else(cloud: Stack, http: httpx.Client, method: str) -> None:
    """Byte for byte through the front and the gateway: refused with an id to ask by, and nothing happened."""
    eve = {"Authorization": f"Bearer {cloud.callers.token('eve')}"}
    wrong = {}
    for trick in path_tricks.of(PATIENT.user_id, "eve"):
        status, headers, body = _sent(cloud, method, f"/api/bg/{trick}", eve)
        if status not in {403, 404, 422} or "glucose" in body or not headers["x-correlation-id"]:
            wrong[trick] = (status, body[:100])
    patient = {"Authorization": f"Bearer {cloud.callers.token(PATIENT.user_id)}"}

    assert wrong == {}
    assert http.get(f"/api/bg/{PATIENT.user_id}/latest", headers=patient).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/bg"),
        ("GET", "/api/bg/demo/nothing"),
        ("PATCH", "/api/bg/demo"),
        ("POST", "/health"),
        ("HEAD", "/health"),
        ("PROPFIND", "/docs"),
        ("GET", "/DOCS"),
        ("GET", "/%0a"),
        ("GET", "/../../_ministack/health"),
    ],
)
def test_what_is_no_route_is_a_problem_with_an_id(cloud: Stack, method: str, path: str) -> None:
    """The service's own answer, not the gateway's bare one, with the caller's id in it."""
    asked = {"X-Correlation-ID": "ticket-4711"}
    status, headers, body = _sent(cloud, method, path, asked)

    assert (status, headers["content-type"], headers["x-correlation-id"]) == (404, _PROBLEM, "ticket-4711")
    assert method == "HEAD" or '"type":"https://bg-ingest.dev/problems/not-found"' in body


def test_the_gateways_own_refusal_is_bare_and_has_its_own_id(http: httpx.Client) -> None:
    """As docs/api.md says: an HTTP API lets nobody add to it."""
    answer = http.get("/api/bg/demo/latest")

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert "x-correlation-id" not in answer.headers
    assert answer.headers["apigw-requestid"]


def test_a_page_of_a_named_origin_may_call_and_others_may_not(http: httpx.Client) -> None:
    """The answer to what a browser asks beforehand, from the template's own list."""
    wish = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    named, other = (
        http.options("/api/bg/demo/settings", headers=wish | {"Origin": origin})
        for origin in (ORIGIN, "https://evil.example.org")
    )

    assert named.status_code == 204
    assert named.headers["access-control-allow-origin"] == ORIGIN
    assert "PUT" in named.headers["access-control-allow-methods"].split(",")
    assert "authorization" in named.headers["access-control-allow-headers"].split(",")
    assert "access-control-allow-credentials" not in named.headers
    assert not any(name.startswith("access-control") for name in other.headers)


def test_a_page_of_a_named_origin_sees_what_it_needs(http: httpx.Client) -> None:
    """The answer itself names the origin and the headers a script may read; to another it names none."""
    named, other = (
        http.get("/health", headers={"Origin": origin}).headers
        for origin in (ORIGIN, "https://evil.example.org")
    )

    assert named["access-control-allow-origin"] == ORIGIN
    assert {"etag", "link", "x-correlation-id"} <= set(named["access-control-expose-headers"].split(","))
    assert "access-control-allow-origin" not in other


def _sent(
    cloud: Stack, method: str, path: str, headers: dict[str, str]
) -> tuple[int, Message[str, str], str]:
    """As a tool of an attacker sends it: httpx would tidy the path up."""
    connection = HTTPConnection(urlsplit(cloud.api).netloc, timeout=60)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()
