"""Every client error of the two reading routes, compared with the OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.functions import api_document
from tests.functions.gateway import Claims, Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

LATEST, RANGE = "/api/bg/{userId}/latest", "/api/bg/{userId}"
DEMO: Claims = {"sub": "demo"}
READER: Claims = {"sub": "a-service", "scope": "bg/read"}
WRITER: Claims = {"sub": "a-service", "scope": "bg/write"}
DAYS_93 = "?from=2026-01-01T00:00:00Z&to=2026-04-04T00:00:00Z"
# Only the gateway sends these: tests/e2e tests 401, and 429 follows from its configuration.
BY_GATEWAY = {401, 429}

CLIENT_ERRORS = [
    (LATEST, "/api/bg/eve/latest", DEMO, 403, "forbidden"),
    (LATEST, "/api/bg/demo/latest", WRITER, 403, "forbidden"),
    (LATEST, "/api/bg/demo/latest", {}, 403, "forbidden"),
    (LATEST, "/api/bg/nobody/latest", READER, 404, "no-readings"),
    (LATEST, "/api/bg/a%5Cb/latest", READER, 404, "not-found"),
    (LATEST, "/api/bg/-demo/latest", READER, 422, "invalid-request"),
    (LATEST, "/api/bg/demo/latest?unit=stone", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/eve", DEMO, 403, "forbidden"),
    (RANGE, "/api/bg/demo", WRITER, 403, "forbidden"),
    (RANGE, "/api/bg/demo", {}, 403, "forbidden"),
    (RANGE, "/api/bg/a%5Cb", READER, 404, "not-found"),
    (RANGE, "/api/bg/demo?limit=0", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?limit=5_0", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?limit=%205", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?limit=5.0", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?limit=%D9%A5", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?from=2026-11-27T00:00:00Z%00", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?from=2026-02-30T00:00:00Z", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?from=2026-W48-5T00:00:00Z", DEMO, 422, "invalid-request"),
    (RANGE, "/api/bg/demo?cursor=made-up", DEMO, 422, "invalid-request"),
    (RANGE, f"/api/bg/demo{DAYS_93}", DEMO, 422, "range-too-long"),
]


@pytest.mark.parametrize(("path", "url", "claims", "status", "slug"), CLIENT_ERRORS)
def test_each_error_has_its_type_and_status(
    world: FunctionsWorld, path: str, url: str, claims: Claims, status: int, slug: str
) -> None:
    """The problem document is the one that the OpenAPI document describes."""
    _, answer = send(world, Request("GET", url, claims))

    assert answer["statusCode"] == status
    assert json.loads(answer["body"])["type"].endswith(f"/{slug}")
    api_document.check("GET", path, answer)


@pytest.mark.parametrize("path", [LATEST, RANGE])
def test_every_described_error_is_tested_here(path: str) -> None:
    """The list above has each client error that the OpenAPI document describes for the two routes."""
    told = {
        (int(status), slug)
        for status, answer in api_document.operation("GET", path)["responses"].items()
        if 400 <= int(status) < 500 and int(status) not in BY_GATEWAY
        for slug in re.findall(r"`([\w-]+)`: ", api_document.resolved(answer)["description"])
    }

    assert told == {(status, slug) for tried, _, _, status, slug in CLIENT_ERRORS if tried == path}


def test_a_range_of_an_unknown_user_is_empty(world: FunctionsWorld) -> None:
    """A user without readings and one who does not exist get the same response."""
    _, answer = send(world, Request("GET", "/api/bg/nobody", READER))

    assert (answer["statusCode"], answer["body"]) == (200, "[]")


def test_403_is_the_same_for_known_and_unknown_users(world: FunctionsWorld) -> None:
    """A caller cannot find out which users exist."""
    answers = [
        send(world, Request("GET", f"/api/bg/{user}/latest", {"sub": "eve"}))[1] for user in ("demo", "no")
    ]

    assert answers[0]["body"] == answers[1]["body"]
