"""The checks of a deployment from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.http_api.smoke_checks import CHECKS, failures

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[httpx.Request], httpx.Response]

PROBLEM = {"content-type": "application/problem+json"}


def healthy(request: httpx.Request) -> httpx.Response:
    """Answer as a deployment that is well."""
    match request.method, request.url.path:
        case "DELETE", _:
            return httpx.Response(405, headers={"allow": "GET, HEAD"})
        case _, "/health":
            return httpx.Response(200, json={"version": "1.2.3"} if request.method == "GET" else None)
        case _, "/ready":
            return httpx.Response(200)
        case _, "/openapi.json":
            return httpx.Response(200, json={"openapi": "3.1.0"})
        case _, path if path.startswith("/api/bg/"):
            return httpx.Response(404 if request.headers.get("authorization") == "Bearer good" else 401)
    return httpx.Response(404, headers=PROBLEM)


def _complaints(answer: Answer, token: str | None = None) -> dict[str, str]:
    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer)) as client:
        return {name: complaint for name, complaint in failures(client, token) if complaint}


def test_a_healthy_deployment_has_no_complaint() -> None:
    """With a token one more check runs."""
    assert _complaints(healthy) == {}
    assert _complaints(healthy, "good") == {}
    assert list(_complaints(healthy, "expired")) == ["the token is accepted"]


def test_each_check_can_fail() -> None:
    """A server that answers everything with 200 fails every check that expects a refusal or a content."""
    failed = _complaints(lambda _: httpx.Response(200, json={}))

    refusals = {check.name for check in CHECKS if 200 not in check.statuses}
    assert refusals | {"the service runs", "it describes itself"} <= failed.keys()


@pytest.mark.parametrize("status", [500, 503])
def test_an_unready_deployment_is_named(status: int) -> None:
    """The complaint has the status."""
    failed = _complaints(
        lambda request: httpx.Response(status) if request.url.path == "/ready" else healthy(request)
    )
    assert failed == {"its tables and queues answer": f"status {status} instead of 200"}


def test_a_deployment_that_does_not_answer_is_a_complaint() -> None:
    """Every check says so."""

    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    assert set(_complaints(refused).values()) == {"no response (ConnectError)"}
