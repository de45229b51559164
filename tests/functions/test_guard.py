"""Access check and audit of every request about a user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.access.audit import Audit, AuditOutcome
from bg_ingest.aws import aws_clients
from bg_ingest.dynamo import Table
from bg_ingest.http_api import serving
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.access.session_parts import sessions
from bg_ingest.wiring.connect_parts import connect_deps, connect_limits, own_server_login
from functions.connect.app import build
from tests.functions.conftest import EVENTS, REGION, LambdaContext, part

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functions.conftest import FunctionsWorld

ABOUT_A_USER = sorted(
    path.stem
    for path in EVENTS.glob("*.json")
    # Webhooks have no token of a user or service: see test_webhook_errors.py.
    if '"userId"' in path.read_text() and not path.stem.startswith("webhook")
)


def _as_caller(event: dict[str, Any], actor: str, scope: str = "") -> dict[str, Any]:
    claims = {"sub": actor, "username": actor, "client_id": "app", "scope": scope}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    return event


def _recorded() -> list[tuple[str, str, AuditOutcome]]:
    return [
        (entry.actor, entry.action, entry.outcome) for entry in part(store_parts.audit).newest_first("demo")
    ]


@pytest.mark.parametrize("name", ABOUT_A_USER)
@pytest.mark.parametrize("scope", ["", "bg/other"])
def test_a_caller_without_scope_is_403_on_every_route(world: FunctionsWorld, name: str, scope: str) -> None:
    """The access check runs before the route."""
    event = _as_caller(world.event(name), "other-user", scope)
    answer = world.invoke(name.split("_", maxsplit=1)[0], event)

    assert answer["statusCode"] == 403
    assert json.loads(answer["body"])["type"].endswith("/forbidden")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sync_settings", {"body": None}),
        ("sync_start", {"body": "{"}),
        ("query_range", {"queryStringParameters": {"limit": "0"}}),
    ],
)
def test_access_is_checked_before_the_request_is_validated(
    world: FunctionsWorld, name: str, changes: dict[str, Any]
) -> None:
    """A caller without access gets 403 for an invalid request, and the user gets 422."""
    for caller, status in (("other-user", 403), ("demo", 422)):
        event = _as_caller(world.event(name, **changes), caller)
        assert world.invoke(name.split("_", maxsplit=1)[0], event)["statusCode"] == status


@pytest.mark.parametrize(
    "name", ["query_latest", "query_range", "query_audit", "insight_statistics", "insight_profile"]
)
def test_a_read_by_another_caller_is_audited(world: FunctionsWorld, name: str) -> None:
    """A service with the scope gets the data, and the audit log names the service."""
    event = _as_caller(world.event(name), "reporting", "bg/read")

    assert world.invoke(name.partition("_")[0], event)["statusCode"] == 200
    assert _recorded() == [("reporting", event["routeKey"], AuditOutcome.DONE)]


def test_own_writes_are_audited_and_own_reads_are_not(world: FunctionsWorld) -> None:
    """Each entry has the outcome of the request."""
    world.invoke("query", world.event("query_latest"))
    world.invoke("connect", world.event("connect_state"))
    assert _recorded() == []

    world.invoke("connect", world.event("connect_remove"))
    refused = world.event("connect_start", body='{"return_url": "https://evil.example.org"}')
    world.invoke("connect", refused)
    assert _recorded() == [
        ("demo", "POST /api/bg/{userId}/connection", AuditOutcome.REFUSED),
        ("demo", "DELETE /api/bg/{userId}/connection", AuditOutcome.DONE),
    ]


def test_the_audit_log_is_paged_newest_first(world: FunctionsWorld) -> None:
    """Two pages show the three entries once each."""
    for scope_holder in ("a-service", "another-service", "reporting"):
        world.invoke("query", _as_caller(world.event("query_latest"), scope_holder, "bg/read"))
    first = world.invoke("query", world.event("query_audit", queryStringParameters={"limit": "2"}))
    cursor = first["headers"]["Link"].partition("cursor=")[2].partition(">")[0]
    asked = {"limit": "2", "cursor": cursor}
    second = world.invoke("query", world.event("query_audit", queryStringParameters=asked))

    entries = json.loads(first["body"]) + json.loads(second["body"])
    assert [entry["actor"] for entry in entries] == ["reporting", "another-service", "a-service"]
    assert "Link" not in second["headers"]
    assert entries[0].keys() == {"at", "actor", "action", "outcome", "correlation_id"}
    assert entries[0]["correlation_id"] == first["headers"]["X-Correlation-ID"]


def test_a_read_that_cannot_be_audited_fails(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another caller gets 500 and no glucose value; the user still reads their own data."""
    log = tmp_path / "log"
    world.restarted(monkeypatch, USERS_TABLE="no-such-table", LOG_OUTPUT=f"file:{log}")
    answer = world.invoke("query", _as_caller(world.event("query_latest"), "reporting", "bg/read"))

    assert answer["statusCode"] == 500
    assert "glucose" not in answer["body"]
    assert '"aws_operation":"PutItem"' in log.read_text()
    assert world.invoke("query", world.event("query_latest"))["statusCode"] == 200


def test_a_write_that_cannot_be_audited_is_not_done(world: FunctionsWorld) -> None:
    """The response is 500, and the connection is unchanged."""
    deps = part(connect_deps)
    nowhere = Audit(Table(aws_clients.dynamodb(REGION), "no-such-table"), deps.clock, 365)
    own, limits, api = part(own_server_login), part(connect_limits), ApiSettings("sub", None, frozenset())
    app = build(deps, own, nowhere, limits, part(sessions), api)
    answer = serving.serve(app, world.event("connect_remove"), LambdaContext(), deps.clock)  # type: ignore[arg-type]

    assert answer["statusCode"] == 500
    assert json.loads(world.invoke("connect", world.event("connect_state"))["body"])["state"] == "connected"
