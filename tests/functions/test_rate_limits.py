"""Rate limits of callers: 429 and its headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.wiring import queue_parts, store_parts
from bg_ingest.wiring.access.grant_parts import GRANTS_PER_HOUR_MAX
from tests.functions.conftest import part
from tests.functions.gateway import Request, routes, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


def test_too_many_started_logins_are_429(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The headers have the limit, what is left of it and the time to wait; no login is started."""
    world.restarted(monkeypatch, CONNECTIONS_PER_HOUR_MAX="1")
    first, second = (world.invoke("connect", world.event("connect_start")) for _ in range(2))

    assert (first["statusCode"], second["statusCode"]) == (201, 429)
    assert json.loads(second["body"])["type"].endswith("/too-many-requests")
    assert second["headers"]["RateLimit-Policy"] == '"connection";q=1;w=3600'
    wait_s = int(second["headers"]["Retry-After"])
    assert 1 <= wait_s <= 3_600
    assert second["headers"]["RateLimit"] == f'"connection";r=0;t={wait_s}'


def test_a_forbidden_request_does_not_count_for_a_limit(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller without access cannot use up the limit."""
    world.restarted(monkeypatch, CONNECTIONS_PER_HOUR_MAX="1")
    event = world.event("connect_start")
    event["pathParameters"] = {"userId": "another-user"}
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/api/bg/another-user/connection"

    assert world.invoke("connect", event)["statusCode"] == 403
    assert world.invoke("connect", world.event("connect_start"))["statusCode"] == 201


# The limits of routes that have one of their own, and of all others.
ONE = {"WRITES_PER_MINUTE_MAX": "1", "SYNCS_PER_MINUTE_MAX": "1", "CONNECTIONS_PER_HOUR_MAX": "1"}
WRITES = sorted(
    (route.method, route.path)
    for route in routes()
    if route.method not in {"GET", "HEAD", "ANY"} and not route.is_open
)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_every_route_that_writes_has_a_limit(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    """A caller is refused at some point, by default after one request; the response says when to retry."""
    world.restarted(monkeypatch, **ONE)
    url = path.replace("{userId}", "demo").replace("{grantId}", "0" * 28).replace("{exportId}", "0" * 28)
    bodies = {
        "/confirm": '{"confirm": "x"}',
        "/api/exports": '{"users": "all"}',
        "/settings": '{"poll_interval_seconds": 900}',
        "/grants": '{"label": "watch", "reads": ["readings"], "days": "all"}',
    }
    body = next((text for ending, text in bodies.items() if path.endswith(ending)), "{}")
    claims = {"sub": "demo"} if "{userId}" in path else {"sub": "a-service", "scope": "bg/read"}
    asked = Request(method, url, claims, body=body)
    _, first = send(world, asked)
    # Twice the limit, because a new window may begin meanwhile.
    more = (send(world, asked)[1] for _ in range(2 * GRANTS_PER_HOUR_MAX))
    refused = next((answer for answer in more if answer["statusCode"] == 429), None)

    assert first["statusCode"] != 429
    assert refused is not None
    assert "Retry-After" in refused["headers"]


def _sent(world: FunctionsWorld, times: int) -> list[int]:
    event = world.event("sync_start_async")
    return [world.invoke("sync", event)["statusCode"] for _ in range(times)]


def test_refused_requests_cost_less_than_accepted_ones(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eighty refused syncs leave one audit entry, one count and no job, and only the first one writes."""
    world.restarted(monkeypatch, **ONE)
    assert _sent(world, 2)[0] == 202
    calls: list[str] = []
    world.aws.watchers.append(
        lambda target, operation, _: calls.append(operation) if target.startswith("DynamoDB") else None
    )
    assert set(_sent(world, 78)) <= {202, 429}
    world.aws.watchers.pop()
    entries = list(part(store_parts.audit).newest_first("demo"))

    # One more window may begin meanwhile: then one more request is accepted, and one more entry is written.
    assert len(calls) <= 20
    assert [entry.outcome for entry in entries].count(AuditOutcome.REFUSED) in {1, 2}
    assert len(entries) <= 4
    assert len(list(part(queue_parts.jobs).newest_first("demo"))) <= 2


def test_processes_share_one_entry_for_the_refusals_of_a_minute(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process that refuses the same caller stores the same entry again, and no other."""
    for _ in range(3):
        world.restarted(monkeypatch, **ONE)
        _sent(world, 2)
    refused = [
        entry
        for entry in part(store_parts.audit).newest_first("demo")
        if entry.outcome is AuditOutcome.REFUSED
    ]

    assert len(refused) in {1, 2}  # Two if a minute began meanwhile.


def test_repeated_reconciliations_are_one_job(world: FunctionsWorld) -> None:
    """Sixty requests of one user leave one job in the queue, whose address each response has."""
    answers = [world.invoke("sync", world.event("sync_reconcile")) for _ in range(60)]

    assert {answer["statusCode"] for answer in answers} == {202}
    assert len({answer["headers"]["Location"] for answer in answers}) == 1
    assert len(list(part(queue_parts.jobs).newest_first("demo"))) == 1


def test_a_success_has_the_rate_limit_headers(world: FunctionsWorld) -> None:
    """A caller sees what is left before it is refused."""
    answer = world.invoke("sync", world.event("sync_settings"))

    assert answer["headers"]["RateLimit-Policy"] == '"write";q=120;w=60'
    assert answer["headers"]["RateLimit"].startswith('"write";r=119;')
