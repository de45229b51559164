"""Logins over HTTP: `return_url`, result pages and redirects."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock, new_id
from bg_ingest.connecting.flow import LoginOutcome, LoginResult
from bg_ingest.http_api.answers import login_responses
from bg_ingest.problems import Problem
from bg_ingest.providers.seam import Tokens
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import Turn
from bg_ingest.wiring import queue_parts
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
    """A browser that reloads the page sees its state; a program gets 400, also with a `return_url`."""
    repeated = LoginResult(LoginOutcome.CONFIRMED)

    assert login_responses.login_response(repeated, "text/html").status_code == 200
    for result in (repeated, LoginResult(LoginOutcome.WAITING), LoginResult(LoginOutcome.CONFIRMED, APP)):
        with pytest.raises(Problem, match="state-invalid"):
            login_responses.login_response(result, "*/*")


PARKED = LoginResult(LoginOutcome.PARKED, user_id="a<b", code="the-code")


def test_the_code_is_handed_to_the_browser_as_json() -> None:
    """A program that accepts JSON gets the code and the user it would connect."""
    shown = login_responses.login_response(PARKED, "application/json")

    assert json.loads(str(shown.body)) == {"confirm": "the-code", "user_id": "a<b"}
    assert shown.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accept", ["text/html,application/json", "*/*", None])
def test_the_code_is_shown_on_a_page(accept: str | None) -> None:
    """A browser gets a page that names the user, and says what it means to pass the code on."""
    shown = login_responses.login_response(PARKED, accept)

    assert "the-code" in str(shown.body)
    assert "a&lt;b" in str(shown.body)
    assert "your readings would go to" in str(shown.body)


@pytest.mark.parametrize(("url", "mark"), [(APP, "?"), (WITH_QUERY, "&")])
def test_the_code_is_appended_to_the_return_url(url: str, mark: str) -> None:
    """The browser carries the code to the app that started the login."""
    shown = login_responses.login_response(replace(PARKED, return_url=url), "application/json")

    assert (shown.status_code, shown.headers["Location"]) == (302, f"{url}{mark}confirm=the-code")


def test_another_account_is_a_conflict() -> None:
    """A browser gets a page that says so, a program a problem document, an app an error."""
    changed = LoginResult(LoginOutcome.ACCOUNT_CHANGED)

    page = login_responses.login_response(changed, "text/html")
    assert (page.status_code, "another account" in str(page.body)) == (409, True)
    with pytest.raises(Problem, match="account-changed"):
        login_responses.login_response(changed, "application/json")
    back = login_responses.login_response(replace(changed, return_url=APP), "text/html")
    assert back.headers["Location"] == f"{APP}?error=account_changed"


def _accepted(world: FunctionsWorld, claims: dict[str, str]) -> str:
    """Start a login with this token, let the provider accept it, and return the code."""
    event = world.event("connect_start")
    event["requestContext"]["authorizer"]["jwt"]["claims"] = claims
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/api/bg/ada/connection"
    started = world.invoke("connect", event)
    deps = part(connect_deps)
    login = deps.logins.finish(
        json.loads(started["body"])["authorize_url"].partition("state=")[2].partition("&")[0]
    )
    assert login is not None
    tokens = Tokens("access", "refresh", SystemClock().now() + timedelta(hours=2))
    code, change = deps.parked.parked(login, deps.provider_login.endpoint, tokens, None)
    assert deps.logins.table.transact([change])
    return code


def _as(world: FunctionsWorld, name: str, claims: dict[str, str], path: str, **changes: Any) -> Any:
    event = world.event(name, **changes)
    event["requestContext"]["authorizer"]["jwt"]["claims"] = claims
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    answer = world.invoke("connect", event)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("claims", [{"sub": "ada"}, {"sub": "a-service", "scope": "bg/write bg/read"}])
def test_a_login_is_pending_until_it_is_confirmed(world: FunctionsWorld, claims: dict[str, str]) -> None:
    """The user or a service confirms; another person and a wrong code do not, and the code works once."""
    code = _accepted(world, claims)
    at, confirm_at = "/api/bg/ada/connection", "/api/bg/ada/connection/confirm"
    body = json.dumps({"confirm": code})

    _, before = _as(world, "connect_state", claims, at)
    assert (before["state"], before["pending"]) == ("disconnected", True)
    stranger, _ = _as(world, "connect_confirm", {"sub": "bob"}, confirm_at, body=body)
    foreign, _ = _as(world, "connect_confirm", {"sub": "bob"}, "/api/bg/bob/connection/confirm", body=body)
    wrong, problem = _as(world, "connect_confirm", claims, confirm_at)
    assert (stranger, foreign, wrong) == (403, 404, 404)
    assert problem["type"].endswith("/confirmation-invalid")

    status, shown = _as(world, "connect_confirm", claims, confirm_at, body=body)
    assert (status, shown["state"], shown["pending"]) == (200, "connected", False)
    assert shown == _as(world, "connect_state", claims, at)[1]
    again, _ = _as(world, "connect_confirm", claims, confirm_at, body=body)
    assert again == 404


@pytest.mark.parametrize(
    "body", ["{}", '{"confirm": ""}', '{"confirm": 7}', '{"confirm": "a", "b": 1}', "", "["]
)
def test_a_confirmation_without_a_code_is_422(world: FunctionsWorld, body: str) -> None:
    """The body is an object with the code and nothing else."""
    answer = world.invoke("connect", world.event("connect_confirm", body=body))

    assert answer["statusCode"] == 422


def test_a_sync_after_another_account_says_so(world: FunctionsWorld) -> None:
    """The 409 of a sync names the other account, and a refused sync keeps that as the last error."""
    connections, states = part(queue_parts.connections), part(queue_parts.states)
    known = connections.get("demo")
    assert known is not None
    connections.mark_needs_reauth("demo", known.generation)
    states.note_other_account("demo")
    for name in ("sync_start", "sync_start_async", "sync_reconcile"):
        answer = world.invoke("sync", world.event(name))
        problem = json.loads(answer["body"])

        assert (answer["statusCode"], problem["type"].rpartition("/")[2]) == (409, "reauthorization-needed")
        assert "another account" in problem["detail"]
    shown = json.loads(world.invoke("connect", world.event("connect_state"))["body"])

    assert (shown["state"], shown["account_changed"]) == ("needs_reauth", True)
    assert shown["last_error"]["type"] == "account-changed"
    assert "Log in with the account used before" in shown["last_error"]["detail"]


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
    assert isinstance(lease, Turn)
    states.end(lease, succeeded=False, error=failure, data_until=None)

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
        assert isinstance(lease, Turn)
        states.end(lease, succeeded=succeeded, error="Unavailable", data_until=None)

    assert shown() is None
    sync(succeeded=False)
    assert shown()["type"] == "Unavailable"
    sync(succeeded=True)
    assert shown() is None
    sync(succeeded=False)
    states.start_polling("demo", None, SystemClock().now())
    assert shown() is None
