"""The operator's page and its numbers, through the function."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.facades.page.wording import grouped
from bg_ingest.http_api.pages.status_values import USERS_COUNTED_MAX
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.wiring import provider_parts, queue_parts
from bg_ingest.wiring.access import session_parts
from bg_ingest.wiring.process import process, users_table
from tests.functions.conftest import REGION, part
from tests.functions.gateway import Request, send
from tests.support.logins import store_tokens

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

SERVICE = {"sub": "a-service", "scope": "bg/read"}
OPERATOR = "olga"


@pytest.fixture
def service(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> FunctionsWorld:
    """A service with an operator, whose queues have some messages."""
    sqs = aws_clients.sqs(REGION)
    polls = process().settings.polls_queue_url or ""
    dead = sqs.create_queue(QueueName="dead-polls")["QueueUrl"]
    for address, count in ((polls, 3), (dead, 2)):
        for number in range(count):
            sqs.send_message(QueueUrl=address, MessageBody=str(number))
    world.restarted(monkeypatch, OPERATOR_IDS=f"otto,{OPERATOR}", STATUS_QUEUES=f"polls={polls}|{dead}")
    return world


def _numbers(world: FunctionsWorld) -> dict[str, Any]:
    _, answer = send(world, Request("GET", "/api/status", SERVICE))
    assert answer["statusCode"] == 200, answer["body"]
    numbers: dict[str, Any] = json.loads(answer["body"])
    return numbers


def _page(world: FunctionsWorld, user_id: str | None) -> dict[str, Any]:
    cookie = part(session_parts.sessions).begin(user_id, f"subject-of-{user_id}") if user_id else ""
    return send(world, Request("GET", "/status", headers={"cookie": f"__Host-session={cookie}"}))[1]


def _user(user_id: str, age: timedelta | None, error: str | None = None) -> None:
    now = process().clock.now().replace(microsecond=0)
    tokens = Tokens("access", "refresh", now + timedelta(hours=2))
    store_tokens(
        part(provider_parts.vault),
        user_id,
        Endpoint("dexcom", "custom"),
        tokens,
        data_from=now - timedelta(days=30),
    )
    part(queue_parts.states).start_polling(user_id, 900, now - timedelta(days=30))
    change = ["SET failures = :none"]
    values: dict[str, Any] = {":none": 0}
    if age is not None:
        change.append("data_until = :until")
        values |= {":until": (now - age).isoformat()}
    if error is not None:
        change.append("last_error = :error")
        values |= {":error": {"type": error, "at": now.isoformat()}}
    part(users_table).update(user_id, "sync", ", ".join(change), values)


def test_numbers_count_users_ages_and_failures(service: FunctionsWorld) -> None:
    """Each user is in one state; each connected one has one age; failures are grouped by their reason."""
    _user("ada", timedelta(minutes=10), "Throttled")
    _user("bob", timedelta(hours=3), "Throttled")
    _user("eve", timedelta(days=40), "ProviderDown")
    connections = part(queue_parts.connections)
    eve = connections.get("eve")
    assert eve
    assert connections.mark_needs_reauth("eve", eve.generation)
    numbers = _numbers(service)

    assert numbers["users"] == {"counted": 4, "more": False, "by_state": {"connected": 3, "needs_reauth": 1}}
    ages = {name: count for name, count in numbers["newest_reading"].items() if count}
    assert ages == {"up to 30 minutes": 1, "up to 6 hours": 1, "no reading yet": 1}
    assert [(each["type"], each["users"]) for each in numbers["failures"]] == [
        ("Throttled", 2),
        ("ProviderDown", 1),
    ]


def test_numbers_of_queues_quota_and_breaker(service: FunctionsWorld) -> None:
    """A message that was given up is a concern."""
    hour = f"{process().clock.now():%Y-%m-%dT%H}"
    part(users_table).put({"pk": "app#quota", "sk": hour, "taken": 600})
    numbers = _numbers(service)

    assert numbers["queues"] == {"polls": {"waiting": 3, "in_work": 0, "delayed": 0, "given_up": 2}}
    assert (numbers["quota"]["taken"], numbers["quota"]["limit"]) == (600, 60_000)
    assert numbers["provider"] == "ok"
    assert numbers["concerns"] == ["2 messages were given up"]


def test_page_is_for_operators_only(service: FunctionsWorld) -> None:
    """A visitor is sent to sign in, and another user is refused; HEAD has no body."""
    assert _page(service, None)["headers"]["Location"] == "/signin"
    refused = _page(service, "demo")
    shown = _page(service, OPERATOR)

    assert (refused["statusCode"], shown["statusCode"]) == (403, 200)
    assert "for operators" in refused["body"]
    assert "1 thing needs a look" in shown["body"]
    policy = shown["headers"]["Content-Security-Policy"]
    assert "script-src" not in policy
    assert shown["headers"]["Cache-Control"] == "no-store"
    assert send(service, Request("HEAD", "/status"))[1]["body"] == ""


@pytest.mark.parametrize(
    "claims",
    [{"sub": "demo"}, {"sub": "a-service", "scope": "bg/write"}, {"sub": "stranger", "scope": "bg/read"}],
)
def test_numbers_need_a_service_with_the_scope(service: FunctionsWorld, claims: dict[str, str]) -> None:
    """A user, a service that may only write, and an unknown service are refused."""
    assert send(service, Request("GET", "/api/status", claims))[1]["statusCode"] == 403


def test_neither_answer_names_a_user_or_a_value(service: FunctionsWorld) -> None:
    """Numbers about all users, and nothing about one of them."""
    _user("ada-lovelace", timedelta(minutes=10), "Throttled")
    shown = _page(service, OPERATOR)["body"] + json.dumps(_numbers(service))

    for text in ("ada", "demo", OPERATOR, "mg/dL", "mmol"):
        assert text not in shown.replace("made", "")


def test_many_users_are_counted_up_to_a_limit(service: FunctionsWorld) -> None:
    """The page says that there are others."""
    _user("ada", None)
    table = process().part(users_table)
    connection = table.get("ada", "connection")
    assert connection is not None
    for number in range(USERS_COUNTED_MAX):
        table.put(connection | {"pk": f"ada-{number}"})
    users = _numbers(service)["users"]

    assert (users["counted"], users["more"]) == (USERS_COUNTED_MAX, True)
    assert f"Counted: the first {grouped(USERS_COUNTED_MAX)} users" in _page(service, OPERATOR)["body"]
