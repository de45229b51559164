"""Who is let through to a user's data, and what is recorded about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.access.audit import Audit, AuditOutcome
from bg_ingest.dynamo import Table
from bg_ingest.http_api import serving
from bg_ingest.wiring import aws_clients, connecting, limits, stores
from functions.connect.app import build
from tests.functions.conftest import EVENTS, LambdaContext

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functions.conftest import World

ABOUT_A_USER = sorted(
    path.stem
    for path in EVENTS.glob("*.json")
    # Webhooks have no caller's token: their proof is another, see test_webhook_refusals.py.
    if '"userId"' in path.read_text() and not path.stem.startswith("webhook")
)


def _as_caller(event: dict[str, Any], actor: str, scope: str = "") -> dict[str, Any]:
    claims = {"sub": actor, "username": actor, "client_id": "app", "scope": scope}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    return event


def _recorded() -> list[tuple[str, str, AuditOutcome]]:
    return [(entry.actor, entry.action, entry.outcome) for entry in stores.audit().newest_first("demo")]


@pytest.mark.parametrize("name", ABOUT_A_USER)
@pytest.mark.parametrize("scope", ["", "bg/other"])
def test_a_stranger_is_refused_on_every_route(world: World, name: str, scope: str) -> None:
    """Whatever the route does, and before it does it."""
    event = _as_caller(world.event(name), "stranger", scope)
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
def test_a_stranger_is_refused_whatever_else_is_wrong(
    world: World, name: str, changes: dict[str, Any]
) -> None:
    """Who may not ask is not told what is wrong with the question; who may, is."""
    for caller, status in (("stranger", 403), ("demo", 422)):
        event = _as_caller(world.event(name, **changes), caller)
        assert world.invoke(name.split("_", maxsplit=1)[0], event)["statusCode"] == status


@pytest.mark.parametrize("name", ["query_latest", "query_range", "query_audit"])
def test_a_read_by_somebody_else_is_recorded(world: World, name: str) -> None:
    """A service with the scope sees the data, and the person sees that it did."""
    event = _as_caller(world.event(name), "reporting", "bg/read")

    assert world.invoke("query", event)["statusCode"] == 200
    assert _recorded() == [("reporting", event["routeKey"], AuditOutcome.DONE)]


def test_a_persons_own_reads_are_not_recorded_and_their_writes_are(world: World) -> None:
    """With what became of them."""
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


def test_what_is_recorded_is_what_the_api_shows(world: World) -> None:
    """Newest first, page by page."""
    for scope_holder in ("first", "second", "third"):
        world.invoke("query", _as_caller(world.event("query_latest"), scope_holder, "bg/read"))
    first = world.invoke("query", world.event("query_audit", queryStringParameters={"limit": "2"}))
    cursor = first["headers"]["Link"].partition("cursor=")[2].partition(">")[0]
    asked = {"limit": "2", "cursor": cursor}
    second = world.invoke("query", world.event("query_audit", queryStringParameters=asked))

    entries = json.loads(first["body"]) + json.loads(second["body"])
    assert [entry["actor"] for entry in entries] == ["third", "second", "first"]
    assert "Link" not in second["headers"]
    assert entries[0].keys() == {"at", "actor", "action", "outcome", "correlation_id"}
    assert entries[0]["correlation_id"] == first["headers"]["X-Correlation-ID"]


def test_what_cannot_be_recorded_is_not_shown(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The read by somebody else fails, and the log says where; the person still reads their own."""
    log = tmp_path / "log"
    world.restarted(monkeypatch, USERS_TABLE="no-such-table", LOG_OUTPUT=f"file:{log}")
    answer = world.invoke("query", _as_caller(world.event("query_latest"), "reporting", "bg/read"))

    assert answer["statusCode"] == 500
    assert "glucose" not in answer["body"]
    assert '"aws_operation":"PutItem"' in log.read_text()
    assert world.invoke("query", world.event("query_latest"))["statusCode"] == 200


def test_what_cannot_be_recorded_is_not_done(world: World) -> None:
    """The person's connection stays as it was."""
    deps = connecting.deps()
    nowhere = Audit(Table(aws_clients.dynamodb(), "no-such-table"), deps.clock, 365)
    app = build(deps, nowhere, limits.connection(), ApiSettings("sub", None, frozenset()))
    answer = serving.serve(app, world.event("connect_remove"), LambdaContext())  # type: ignore[arg-type]

    assert answer["statusCode"] == 500
    assert json.loads(world.invoke("connect", world.event("connect_state"))["body"])["state"] == "connected"
