"""Logins over HTTP: `return_url`, result pages and redirects."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.connecting.flow import LoginOutcome, LoginResult
from bg_ingest.http_api import login_responses
from bg_ingest.ids import new_id
from bg_ingest.problems import Problem
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import Lease
from bg_ingest.wiring import aws_clients, queue_parts
from bg_ingest.wiring.connect_parts import connect_deps
from bg_ingest.wiring.process import users_table
from tests.functions.conftest import REGION, part

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

APP = "https://app.example.org/done"
WITH_QUERY = "https://app.example.org/done?from=bg"


def _start(world: FunctionsWorld, return_url: str) -> dict[str, Any]:
    answer: dict[str, Any] = world.invoke(
        "connect", world.event("connect_start", body=json.dumps({"return_url": return_url}))
    )
    return answer


def _back(world: FunctionsWorld, started: dict[str, Any], **query: str) -> dict[str, Any]:
    state = json.loads(started["body"])["authorize_url"].partition("state=")[2].partition("&")[0]
    asked = {"state": state, **query}
    answer: dict[str, Any] = world.invoke(
        "connect", world.event("connect_callback", queryStringParameters=asked)
    )
    return answer


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/done",
        APP + "/",
        APP + "?x=1",
        "HTTPS://app.example.org/done",
        "https://app.example.org/done@evil.example.org",
        "//app.example.org/done",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_return_url_that_is_not_allowed_is_422(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """It must equal an entry of RETURN_URLS exactly; no login is started."""
    world.restarted(monkeypatch, RETURN_URLS=f"{APP}, {WITH_QUERY}")

    assert _start(world, url)["statusCode"] == 422
    assert not list(
        part(users_table).query("pk = :pk AND begins_with(sk, :l)", {":pk": "demo", ":l": "login"})
    )


@pytest.mark.parametrize(
    ("query", "url", "location"),
    [
        ({"error": "access_denied"}, APP, APP + "?error=access_denied"),
        ({"error": "access_denied"}, WITH_QUERY, WITH_QUERY + "&error=access_denied"),
        ({}, APP, APP + "?error=connection_failed"),
        # The provider is down, so a good code does not help.
        ({"code": "good"}, APP, APP + "?error=temporarily_unavailable"),
    ],
)
def test_a_failed_login_redirects_with_its_error(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, query: dict[str, str], url: str, location: str
) -> None:
    """The redirect to `return_url` has `error` in its query and works once."""
    world.restarted(monkeypatch, RETURN_URLS=f"{APP}, {WITH_QUERY}")
    started = _start(world, url)
    answer = _back(world, started, **query)

    assert (answer["statusCode"], answer["headers"]["Location"]) == (302, location)
    assert _back(world, started, **query)["statusCode"] == 400


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        (LoginOutcome.REFUSED, "start a new login in the app"),
        (LoginOutcome.UNAVAILABLE, "start a new login in a few minutes"),
        (LoginOutcome.FULL, "A new login will not help"),
    ],
)
def test_the_result_page_says_whether_a_retry_helps(ending: LoginOutcome, advice: str) -> None:
    """The page suggests a retry only if a retry can succeed."""
    shown = login_responses.login_response(LoginResult(ending), "text/html")

    assert shown.status_code == 502
    assert advice in str(shown.body)


def test_a_used_state_is_an_error_to_a_program() -> None:
    """A browser that reloads the page sees it again; a program gets 400, also with a `return_url`."""
    repeated = LoginResult(LoginOutcome.REPEATED)

    assert login_responses.login_response(repeated, "text/html").status_code == 200
    for result in (repeated, LoginResult(LoginOutcome.REPEATED, APP)):
        with pytest.raises(Problem, match="state-invalid"):
            login_responses.login_response(result, "*/*")


def test_the_log_has_the_cause_of_a_failed_login(
    world: FunctionsWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """An outage of the provider is distinguished from users who declined."""
    _back(world, world.invoke("connect", world.event("connect_start")), code="good")

    (line,) = [line for line in capsys.readouterr().out.splitlines() if "login ended" in line]
    told = json.loads(line)
    assert (told["outcome"], told["error"]) == ("unavailable", "Unavailable")


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_an_expired_login_looks_like_an_unknown_one(world: FunctionsWorld, accept: str) -> None:
    """A browser gets the same page for both, and a program the same problem document."""
    started = world.invoke("connect", world.event("connect_start"))
    part(users_table).update(*_login_key(), "SET expires_at = :past", {":past": 1_700_000_000})
    state = json.loads(started["body"])["authorize_url"].partition("state=")[2].partition("&")[0]
    answers = []
    for tried in (state, "made-up"):
        event = world.event("connect_callback", queryStringParameters={"state": tried, "code": "good"})
        event["headers"] |= {"accept": accept, "x-correlation-id": "ticket-4711"}
        answers.append(world.invoke("connect", event))

    assert [answer["statusCode"] for answer in answers] == [400, 400]
    assert answers[0]["body"] == answers[1]["body"]
    said = "older than ten minutes" if accept == "text/html" else "/state-invalid"
    assert said in answers[0]["body"]


def test_credentials_are_read_from_secrets_manager(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a secret is named, then the environment variables are ignored."""
    secret = json.dumps({"client_id": "from-the-secret", "client_secret": "x"})
    aws_clients.secrets(REGION).create_secret(Name="bg/dexcom", SecretString=secret)
    world.restarted(monkeypatch, SECRET_NAME="bg/dexcom", DEXCOM_CLIENT_ID="from-the-environment")
    started = world.invoke("connect", world.event("connect_start"))

    assert "client_id=from-the-secret&" in json.loads(started["body"])["authorize_url"]


def _login_key() -> tuple[str, str]:
    (login,) = part(users_table).query("pk = :pk AND begins_with(sk, :l)", {":pk": "demo", ":l": "login"})
    return login["pk"], login["sk"]


@pytest.mark.parametrize(("kept", "fetched", "days"), [("30", "90", 30), ("730", "90", 90)])
def test_the_backfill_is_no_longer_than_the_retention(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, kept: str, fetched: str, days: int
) -> None:
    """Older days would be fetched, expire, and then count as missing."""
    world.restarted(monkeypatch, RETENTION_DAYS=kept, BACKFILL_DAYS_MAX=fetched)

    assert part(connect_deps).history == timedelta(days=days)


@pytest.mark.parametrize(
    ("failure", "state", "detail"),
    [
        ("reauthorization-needed", "needs_reauth", "Start a new login"),
        ("account-changed", "connected", "another account"),
        ("Unavailable", "connected", "retried automatically"),
        ("internal", "connected", "fault on our side"),
    ],
)
def test_the_last_error_says_what_to_do(world: FunctionsWorld, failure: str, state: str, detail: str) -> None:
    """A revoked consent, a wrong account and an outage are distinguished, in both states."""
    connections, states = part(queue_parts.connections), part(queue_parts.states)
    known = connections.get("demo")
    assert known is not None
    if state == "needs_reauth":
        connections.mark_needs_reauth("demo", known.generation)
    order = Order("demo", new_id(SystemClock().now()), JobKind.INCREMENTAL, Trigger.SCHEDULE, "id")
    lease = states.take(order)
    assert isinstance(lease, Lease)
    states.release(lease, succeeded=False, error=failure, data_until=None)

    connection = json.loads(world.invoke("connect", world.event("connect_state"))["body"])
    sync = json.loads(world.invoke("sync", world.event("sync_state"))["body"])

    assert connection["state"] == state
    assert connection["last_error"] == sync["last_error"]
    assert connection["last_error"]["type"] == failure
    assert connection["last_error"]["at"].endswith("Z")
    assert detail in connection["last_error"]["detail"]
    assert connection["account_changed"] is (failure == "account-changed")


def test_a_success_or_a_login_ends_the_last_error(world: FunctionsWorld) -> None:
    """It is null before the first failure, after the next success and after a new login."""
    states = part(queue_parts.states)

    def shown() -> Any:
        return json.loads(world.invoke("connect", world.event("connect_state"))["body"])["last_error"]

    def sync(*, succeeded: bool) -> None:
        order = Order("demo", new_id(SystemClock().now()), JobKind.INCREMENTAL, Trigger.SCHEDULE, "id")
        lease = states.take(order)
        assert isinstance(lease, Lease)
        states.release(lease, succeeded=succeeded, error="Unavailable", data_until=None)

    assert shown() is None
    sync(succeeded=False)
    assert shown()["type"] == "Unavailable"
    sync(succeeded=True)
    assert shown() is None
    sync(succeeded=False)
    states.start_polling("demo", None, SystemClock().now())
    assert shown() is None
