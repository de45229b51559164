from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.oauth import Application, OAuth
from bg_ingest.providers.errors import (
    ApplicationFull,
    CodeRefused,
    ConsentRevoked,
    Garbled,
    ProviderError,
    Throttled,
    TryLater,
    Unavailable,
)
from bg_ingest.providers.seam import Tokens
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.dexcom.made_up import HOST, Replies, ok, plain, polite
from tests.unit.providers.dexcom.test_records import JSON
from tests.unit.providers.http.test_statuses import BODIES

APPLICATION = Application("our-client", "our-secret", "https://service.test/oauth/callback?x=1")
GOOD = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 7200, "token_type": "Bearer"}


def oauth(replies: Replies) -> OAuth:
    """Our side, with that on the other."""
    return OAuth(plain(replies), APPLICATION, FakeClock())


def form(request: httpx.Request) -> dict[str, str]:
    """What was sent in a form body."""
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(request.content.decode()))


def test_the_address_of_the_login() -> None:
    """Everything Dexcom wants to know, escaped, and no secret."""
    url = urlsplit(oauth(Replies(ok())).authorize_url("state of mind&"))

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{HOST}/v3/oauth2/login"
    assert parse_qs(url.query) == {
        "client_id": ["our-client"],
        "redirect_uri": ["https://service.test/oauth/callback?x=1"],
        "response_type": ["code"],
        "scope": ["offline_access"],
        "state": ["state of mind&"],
    }


def test_the_exchange_of_a_code() -> None:
    """One POST with the credentials in its body."""
    replies = Replies(ok(GOOD))

    tokens = oauth(replies).exchange("the-code")

    (request,) = replies.asked
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


def test_a_refresh() -> None:
    """The old refresh token in, new tokens out."""
    replies = Replies(ok(GOOD))

    tokens = oauth(replies).refresh("refresh-1")

    assert form(replies.asked[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "client_id": "our-client",
        "client_secret": "our-secret",
    }
    assert tokens.refresh_token == "refresh-2"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_invalid_grant_alone_is_the_end(status: int) -> None:
    """The person has to log in; which of the two it was depends on what was shown."""
    replies = Replies(httpx.Response(status, json={"error": "invalid_grant", "error_description": "x"}))

    with pytest.raises(ConsentRevoked):
        oauth(replies).refresh("refresh-1")
    with pytest.raises(CodeRefused):
        oauth(replies).exchange("the-code")
    assert replies.calls == 2


@pytest.mark.parametrize("body", [body for body in BODIES if b"invalid_grant" not in body])
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_every_other_refusal_passes(status: int, body: bytes) -> None:
    """Plain 400s included: they were seen in maintenance hours, and the tokens lived on."""
    with pytest.raises(Unavailable):
        oauth(Replies(httpx.Response(status, content=body))).refresh("refresh-1")


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (500, Unavailable), (503, Unavailable)])
def test_the_status_comes_first(status: int, kind: type[ProviderError]) -> None:
    """A server that fails is not believed when it says invalid_grant."""
    reply = httpx.Response(status, json={"error": "invalid_grant"}, headers={"retry-after": "60"})

    with pytest.raises(kind) as caught:
        oauth(Replies(reply)).refresh("refresh-1")
    assert isinstance(caught.value, TryLater)
    assert caught.value.retry_after_s == 60.0


def test_an_application_that_is_full() -> None:
    """Nobody can connect until Dexcom raises the limit; other trouble with the client is transient."""
    full = {"error": "invalid_client", "error_description": "Max user count exceeded for application"}

    with pytest.raises(ApplicationFull):
        oauth(Replies(httpx.Response(401, json=full))).exchange("the-code")
    with pytest.raises(Unavailable):
        oauth(Replies(httpx.Response(401, json={"error": "invalid_client"}))).exchange("the-code")


def test_success_without_json_is_transient() -> None:
    """A refresh token may be lost in it, and asking again is the way to find out."""
    with pytest.raises(Garbled):
        oauth(Replies(httpx.Response(200, content=b"<html>"))).refresh("refresh-1")


@pytest.mark.parametrize("status", [429, 500, 503, 200])
def test_nothing_is_ever_sent_twice(clock: FakeClock, status: int) -> None:
    """Also over the polite transport: a refresh token works once, whether or not its answer arrives."""
    replies = Replies(httpx.Response(status, content=b"<html>"))

    with pytest.raises(TryLater):
        OAuth(polite(clock, replies), APPLICATION, clock).refresh("refresh-1")
    assert (replies.calls, clock.naps) == (1, [])


def test_a_lost_answer_is_not_asked_for_again(clock: FakeClock) -> None:
    """A connection that breaks may break after Dexcom has spent the token."""
    replies = Replies(httpx.ReadTimeout("timed out"), ok(GOOD))

    with pytest.raises(Unavailable):
        OAuth(polite(clock, replies), APPLICATION, clock).exchange("the-code")
    assert replies.calls == 1


@given(st.sampled_from([200, 400, 401]), JSON | st.dictionaries(st.sampled_from([*GOOD, "error"]), JSON))
def test_no_answer_raises_anything_else(status: int, answer: Any) -> None:
    """Tokens, or an error of our tree."""
    try:
        tokens = oauth(Replies(httpx.Response(status, text=json.dumps(answer)))).refresh("refresh-1")
    except ProviderError:
        return
    assert tokens.access_token
    assert tokens.refresh_token


def test_no_secret_is_shown() -> None:
    """Neither a repr nor an error carries a token, a code or the client's secret."""
    tokens = Tokens("access-2", "refresh-2", NOON)
    shown = [repr(tokens), repr(APPLICATION), repr(oauth(Replies(ok())))]
    for reply in (httpx.Response(400, json={"error": "invalid_grant"}), httpx.Response(500), ok({})):
        with pytest.raises(ProviderError) as caught:
            oauth(Replies(reply)).refresh("refresh-1")
        shown.append(repr(caught.value))

    secrets = ("access-2", "refresh-2", "refresh-1", "our-secret")
    assert not [text for text in shown if any(secret in text for secret in secrets)]
