"""The routes of the grants."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.access import grant_parts
from bg_ingest.wiring.erase_parts import eraser
from bg_ingest.wiring.process import process, users_table
from tests.functions.conftest import part
from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

GOOD: dict[str, Any] = {"label": "watch", "reads": ["readings"], "days": {"last": 14}}
OWN = {"sub": "demo"}
GRANTS = "/api/bg/demo/grants"


def _post(world: FunctionsWorld, body: Any, claims: dict[str, str] | None = None) -> tuple[int, Any]:
    _, answer = send(world, Request("POST", GRANTS, claims or OWN, body=json.dumps(body)))
    return answer["statusCode"], json.loads(answer["body"])


def test_a_grant_is_made_listed_and_revoked(world: FunctionsWorld) -> None:
    """The token is in the first response only, and in the address of the page."""
    status, made = _post(world, GOOD | {"expires_at": "2099-01-01T00:00:00Z"})
    _, listed = send(world, Request("GET", GRANTS, OWN))
    _, revoked = send(world, Request("DELETE", f"{GRANTS}/{made['grant_id']}", OWN))
    _, empty = send(world, Request("GET", GRANTS, OWN))

    assert status == 201
    token = made.pop("token")
    assert made.pop("page_url").endswith(f"/see/{token}")
    assert made["expires_at"] == "2099-01-01T00:00:00Z"
    assert (listed["statusCode"], json.loads(listed["body"])) == (200, [made])
    assert (revoked["statusCode"], json.loads(empty["body"])) == (204, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": ""}, "label"),
        ({"label": "   "}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"label": "x" * 41}, "label"),
        ({"reads": []}, "reads"),
        ({"reads": ["everything"]}, "reads"),
        ({"days": {"last": 0}}, "days"),
        ({"days": {"last": "14"}}, "days"),
        ({"days": {"from": "2026-04-30", "to": "2026-04-01"}}, "days.from"),
        ({"days": {"from": "2026-02-30", "to": "2026-04-01"}}, "days.from"),
        ({"days": {}}, "days"),
        ({"days": "some"}, "days"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"more": 1}, "more"),
    ],
)
def test_an_invalid_grant_is_422_and_names_the_field(
    world: FunctionsWorld, change: dict[str, Any], field: str
) -> None:
    """No grant is made."""
    status, problem = _post(world, GOOD | change)

    assert status == 422
    assert any(error["field"].startswith(field) for error in problem["errors"])
    assert part(grant_parts.grant_service).of_user("demo") == []


def test_only_the_person_has_access_to_grants(world: FunctionsWorld) -> None:
    """A service with both scopes and another person get 403, and learn nothing about the grant."""
    _, made = _post(world, GOOD)
    service = {"sub": "a-service", "scope": "bg/read bg/write"}
    for claims in (service, {"sub": "eve"}):
        assert _post(world, GOOD, claims)[0] == 403
        for method, url in (("GET", GRANTS), ("DELETE", f"{GRANTS}/{made['grant_id']}")):
            _, refused = send(world, Request(method, url, claims))
            assert refused["statusCode"] == 403
            assert "Only the user's own token" in refused["body"]
    assert len(part(grant_parts.grant_service).of_user("demo")) == 1


def test_making_and_revoking_a_grant_are_audited(world: FunctionsWorld) -> None:
    """Listing is not, because a person reads their own data."""
    _, made = _post(world, GOOD)
    send(world, Request("GET", GRANTS, OWN))
    send(world, Request("DELETE", f"{GRANTS}/{made['grant_id']}", OWN))

    actions = [entry.action for entry in part(store_parts.audit).newest_first("demo")]
    assert actions == ["DELETE /api/bg/{userId}/grants/{grantId}", "POST /api/bg/{userId}/grants"]


def test_the_fifty_first_grant_is_409(world: FunctionsWorld) -> None:
    """The response says what to do."""
    service = part(grant_parts.grant_service)
    for _ in range(50):
        service.create("demo", "watch", [Category.READINGS], GrantDays())
    status, problem = _post(world, GOOD)

    assert (status, problem["type"].rpartition("/")[2]) == (409, "too-many-grants")


def test_making_grants_is_limited_per_user(world: FunctionsWorld) -> None:
    """The sixty-first within an hour is 429, also if the earlier ones were revoked."""
    for _ in range(grant_parts.GRANTS_PER_HOUR_MAX):
        assert _post(world, GOOD)[0] in {201, 409}
    status, problem = _post(world, GOOD)

    assert (status, problem["type"].rpartition("/")[2]) == (429, "too-many-requests")


def test_an_erasure_removes_the_grants(world: FunctionsWorld) -> None:
    """The receipt counts the grant once, and no item of the grant is left."""
    _post(world, GOOD)
    receipt = part(eraser).erase("demo", lambda: 29.0)

    assert receipt.removed["grants"] == 1
    table = process().part(users_table)
    assert list(table.query("pk = :pk", {":pk": "grant#demo"})) == []
