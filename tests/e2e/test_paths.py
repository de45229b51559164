"""Unexpected paths: attempts to read another user's data, and unknown routes."""

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

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_PROBLEM = "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_no_path_reads_another_users_data(cloud: Stack, http: httpx.Client, method: str) -> None:
    """The gateway gets the path byte for byte; the answer is a refusal with an id, and no data is read."""
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
        ("GET", "/api"),
        ("GET", "/api/bg/demo/nothing"),
        ("HEAD", "/api"),
        ("GET", "/DOCS"),
        ("GET", "/%0a"),
        ("GET", "/../../_ministack/health"),
    ],
)
def test_unknown_route_is_answered_with_a_problem_and_an_id(cloud: Stack, method: str, path: str) -> None:
    """The service answers an unknown route itself, with the caller's correlation id."""
    asked = {"X-Correlation-ID": "ticket-4711"}
    status, headers, body = _sent(cloud, method, path, asked)

    assert (status, headers["content-type"], headers["x-correlation-id"]) == (404, _PROBLEM, "ticket-4711")
    assert method == "HEAD" or '"type":"https://bg-ingest.dev/problems/not-found"' in body


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/api/bg/demo", "DELETE, GET, HEAD, OPTIONS"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("PROPFIND", "/docs", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_of_a_known_path_is_405(cloud: Stack, method: str, path: str, allow: str) -> None:
    """`Allow` lists the methods of the path."""
    status, headers, _ = _sent(cloud, method, path, {})

    assert status == 405
    assert set(headers["allow"].split(", ")) | {"OPTIONS"} == set(allow.split(", "))


def test_root_is_the_page(cloud: Stack) -> None:
    """`/` is a page for people, and HEAD is answered wherever GET is."""
    status, headers, _ = _sent(cloud, "GET", "/", {})

    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert _sent(cloud, "HEAD", "/health", {})[0] == 200


def test_gateway_refusal_has_only_the_gateways_id(http: httpx.Client) -> None:
    """The gateway's own refusal has no correlation id, because an HTTP API cannot add one."""
    answer = http.get("/api/bg/demo/latest")

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert "x-correlation-id" not in answer.headers
    assert answer.headers["apigw-requestid"]


def test_preflight_allows_listed_origins_only(http: httpx.Client) -> None:
    """The answer to a preflight request allows the origins of the template's list only."""
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


def test_listed_origin_may_read_the_documented_headers(http: httpx.Client) -> None:
    """The answer names a listed origin and the headers its script may read.

    For other origins it names none.
    """
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
    """Send the path unchanged; httpx would normalize it."""
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
