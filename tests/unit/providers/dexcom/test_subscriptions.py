from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.subscriptions import Subscription, Subscriptions
from bg_ingest.providers.errors import ContractBroken, NotOffered, RequestRefused, TokenRejected
from tests.support.fakes import FakeClock
from tests.unit.providers.http.fake_provider import HOST, TOKEN, Replies, ok, without_retries

PATH = "/v3/subscriptions"
HOOK = "https://service.test/api/bg/ada/webhook"
OURS = {"id": "sub/1", "url": HOOK}


def subscriptions(replies: Replies, path: str | None = PATH) -> Subscriptions:
    """The subscriptions of a client with this path."""
    return DexcomClient(without_retries(replies), FakeClock(), subscriptions_path=path).subscriptions


def test_register_posts_the_url() -> None:
    """`register` sends the URL to the configured path and returns the new subscription."""
    replies = Replies(httpx.Response(201, json=OURS))

    assert subscriptions(replies).register(TOKEN, HOOK) == Subscription("sub/1", HOOK)
    (request,) = replies.requests
    assert (request.method, str(request.url)) == ("POST", HOST + PATH)
    assert json.loads(request.content) == {"url": HOOK}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_listed_returns_all_subscriptions() -> None:
    """`listed` returns each subscription in the response."""
    assert subscriptions(Replies(ok({"subscriptions": [OURS]}))).listed(TOKEN) == (
        Subscription("sub/1", HOOK),
    )


def test_remove_deletes_and_ignores_404() -> None:
    """The id is one encoded segment of the path; a 404 returns False and raises nothing."""
    replies = Replies(httpx.Response(204), httpx.Response(404))

    assert subscriptions(replies).remove(TOKEN, "sub/1")
    assert not subscriptions(replies).remove(TOKEN, "sub/1")
    assert replies.requests[0].method == "DELETE"
    assert replies.requests[0].url.raw_path == b"/v3/subscriptions/sub%2F1"


def test_without_a_path_every_method_raises() -> None:
    """Without a configured path no request is sent, and every method raises NotOffered."""
    replies = Replies(ok())
    none = subscriptions(replies, path=None)

    for call in (
        lambda: none.register(TOKEN, HOOK),
        lambda: none.listed(TOKEN),
        lambda: none.remove(TOKEN, "x"),
    ):
        with pytest.raises(NotOffered):
            call()
    assert replies.calls == 0


def test_error_statuses_raise() -> None:
    """A 401 raises TokenRejected; a 404 raises RequestRefused unless the request is a DELETE."""
    with pytest.raises(TokenRejected):
        subscriptions(Replies(httpx.Response(401))).remove(TOKEN, "sub/1")
    missing = subscriptions(Replies(httpx.Response(404)))
    with pytest.raises(RequestRefused):
        missing.register(TOKEN, HOOK)
    with pytest.raises(RequestRefused):
        missing.listed(TOKEN)


@pytest.mark.parametrize("answer", [{}, {"subscriptions": None}, {"subscriptions": [{"id": 7}]}])
def test_response_outside_the_contract_raises(answer: dict[str, Any]) -> None:
    """A response without a list of subscriptions with ids and URLs raises ContractBroken."""
    with pytest.raises(ContractBroken):
        subscriptions(Replies(ok(answer))).listed(TOKEN)
