from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.oauth import Application, OAuth, tokens_of
from bg_ingest.providers.errors import (
    ApplicationFull,
    CodeRefused,
    ConsentRevoked,
    ContractBroken,
    Garbled,
    ProviderError,
    Throttled,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.seam import Tokens
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.dexcom.test_responses import JSON
from tests.unit.providers.http.fake_provider import HOST, Replies, ok, polite, without_retries
from tests.unit.providers.http.test_send import BODIES

APPLICATION = Application("our-client", "our-secret", "https://service.test/oauth/callback?x=1")
GOOD = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 7200, "token_type": "Bearer"}


def oauth(replies: Replies) -> OAuth:
    """An OAuth client of a provider that gives these replies."""
    return OAuth(without_retries(replies), APPLICATION, FakeClock())


def form(request: httpx.Request) -> dict[str, str]:
    """The form in the body of a request."""
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(request.content.decode()))


def test_authorize_url_has_the_documented_parameters() -> None:
    """The login URL has the documented parameters, encoded, and not the client secret."""
    url = urlsplit(oauth(Replies(ok())).authorize_url("state of mind&"))

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{HOST}/v3/oauth2/login"
    assert parse_qs(url.query) == {
        "client_id": ["our-client"],
        "redirect_uri": ["https://service.test/oauth/callback?x=1"],
        "response_type": ["code"],
        "scope": ["offline_access"],
        "state": ["state of mind&"],
    }


def test_exchange_posts_code_and_credentials() -> None:
    """`exchange` sends one POST with the code and the credentials in its form, and returns tokens."""
    replies = Replies(ok(GOOD))

    tokens = oauth(replies).exchange("the-code")

    (request,) = replies.requests
    assert (request.method, str(request.url)) == ("POST", f"{HOST}/v3/oauth2/token")
    assert form(request) == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": "https://service.test/oauth/callback?x=1",
        "client_id": "our-client",
        "client_secret": "our-secret",
    }
    assert "authorization" not in request.headers
    assert tokens == Tokens("access-2", "refresh-2", NOON + timedelta(hours=2))


def test_refresh_posts_the_refresh_token() -> None:
    """`refresh` sends the refresh token and the credentials, and returns new tokens."""
    replies = Replies(ok(GOOD))

    tokens = oauth(replies).refresh("refresh-1")

    assert form(replies.requests[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "client_id": "our-client",
        "client_secret": "our-secret",
    }
    assert tokens.refresh_token == "refresh-2"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_invalid_grant_needs_a_login(status: int) -> None:
    """`invalid_grant` raises ConsentRevoked for a refresh token and CodeRefused for a code."""
    replies = Replies(httpx.Response(status, json={"error": "invalid_grant", "error_description": "x"}))

    with pytest.raises(ConsentRevoked):
        oauth(replies).refresh("refresh-1")
    with pytest.raises(CodeRefused):
        oauth(replies).exchange("the-code")
    assert replies.calls == 2


@pytest.mark.parametrize("body", [body for body in BODIES if b"invalid_grant" not in body])
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_other_4xx_is_transient(status: int, body: bytes) -> None:
    """A 4xx without `invalid_grant` is transient: it was observed during maintenance, with valid tokens."""
    with pytest.raises(Unavailable):
        oauth(Replies(httpx.Response(status, content=body))).refresh("refresh-1")


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (500, Unavailable), (503, Unavailable)])
def test_status_overrides_invalid_grant(status: int, kind: type[ProviderError]) -> None:
    """`invalid_grant` in a 429 or 5xx is ignored, and Retry-After is kept."""
    reply = httpx.Response(status, json={"error": "invalid_grant"}, headers={"retry-after": "60"})

    with pytest.raises(kind) as caught:
        oauth(Replies(reply)).refresh("refresh-1")
    assert isinstance(caught.value, TryLater)
    assert caught.value.retry_after_s == 60.0


def test_user_limit_of_the_application() -> None:
    """Dexcom's text for its user limit raises ApplicationFull; another `invalid_client` is transient."""
    full = {"error": "invalid_client", "error_description": "Max user count exceeded for application"}

    with pytest.raises(ApplicationFull):
        oauth(Replies(httpx.Response(401, json=full))).exchange("the-code")
    with pytest.raises(Unavailable):
        oauth(Replies(httpx.Response(401, json={"error": "invalid_client"}))).exchange("the-code")


def test_success_without_json_is_transient() -> None:
    """A 200 without JSON raises Garbled; the next refresh shows whether the token was consumed."""
    with pytest.raises(Garbled):
        oauth(Replies(httpx.Response(200, content=b"<html>"))).refresh("refresh-1")


@pytest.mark.parametrize("status", [429, 500, 503, 200])
def test_failed_refresh_is_not_retried(clock: FakeClock, status: int) -> None:
    """A refresh token works one time, so a failed request is not repeated."""
    replies = Replies(httpx.Response(status, content=b"<html>"))

    with pytest.raises(TryLater):
        OAuth(polite(clock, replies), APPLICATION, clock).refresh("refresh-1")
    assert (replies.calls, clock.naps) == (1, [])


def test_lost_response_is_not_retried(clock: FakeClock) -> None:
    """A request whose response is lost may have consumed the code, so it is not repeated."""
    replies = Replies(httpx.ReadTimeout("timed out"), ok(GOOD))

    with pytest.raises(Unavailable):
        OAuth(polite(clock, replies), APPLICATION, clock).exchange("the-code")
    assert replies.calls == 1


@given(st.sampled_from([200, 400, 401]), JSON | st.dictionaries(st.sampled_from([*GOOD, "error"]), JSON))
def test_any_json_gives_tokens_or_a_provider_error(status: int, answer: Any) -> None:
    """Any JSON document gives two tokens, or raises a ProviderError."""
    try:
        tokens = oauth(Replies(httpx.Response(status, text=json.dumps(answer)))).refresh("refresh-1")
    except ProviderError:
        return
    assert tokens.access_token
    assert tokens.refresh_token


def test_repr_and_errors_contain_no_secret() -> None:
    """A repr or an error contains no token, code or client secret."""
    tokens = Tokens("access-2", "refresh-2", NOON)
    texts = [repr(tokens), repr(APPLICATION), repr(oauth(Replies(ok())))]
    for reply in (httpx.Response(400, json={"error": "invalid_grant"}), httpx.Response(500), ok({})):
        with pytest.raises(ProviderError) as caught:
            oauth(Replies(reply)).refresh("refresh-1")
        texts.append(repr(caught.value))

    secrets = ("access-2", "refresh-2", "refresh-1", "our-secret")
    assert not [text for text in texts if any(secret in text for secret in secrets)]


def test_tokens_of_a_documented_response() -> None:
    """A response gives both tokens and the expiry of the access token; other members are ignored."""
    tokens = tokens_of(GOOD | {"scope": "offline_access"}, NOON, "refresh-1")

    assert tokens == Tokens("access-2", "refresh-2", NOON + timedelta(hours=2))


@pytest.mark.parametrize("members", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_missing_refresh_token_keeps_the_old_one(members: dict[str, Any]) -> None:
    """Without a new refresh token the old one is kept; a login without one raises ContractBroken."""
    document = {"access_token": "access-2"} | members

    assert tokens_of(document, NOON, "refresh-1").refresh_token == "refresh-1"
    with pytest.raises(ContractBroken):
        tokens_of(document, NOON, None)


@pytest.mark.parametrize("access_token", [None, "", 7, ["access-2"]])
def test_missing_access_token_raises(access_token: object) -> None:
    """A 200 without an access token raises ContractBroken."""
    with pytest.raises(ContractBroken):
        tokens_of(GOOD | {"access_token": access_token}, NOON, "refresh-1")


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (60, 60),
        ("900", 900),
        (None, 7200),
        (0, 7200),
        (-1, 7200),
        ("soon", 7200),
        (True, 7200),
        (1e30, 7200),
        ([], 7200),
    ],
)
def test_unusable_lifetime_keeps_the_tokens(expires_in: object, seconds: int) -> None:
    """Tokens with an unusable lifetime are kept with two hours: no other refresh token is valid."""
    tokens = tokens_of(GOOD | {"expires_in": expires_in}, NOON, "refresh-1")

    assert tokens.expires_at == NOON + timedelta(seconds=seconds)
