from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.subscriptions import Subscription, Subscriptions
from bg_ingest.providers.errors import ContractBroken, NotOffered, RequestRefused, TokenRejected
from tests.support.fakes import FakeClock
from tests.unit.providers.dexcom.made_up import HOST, TOKEN, Replies, ok, plain

PATH = "/v3/subscriptions"
HOOK = "https://service.test/api/bg/ada/webhook"
OURS = {"id": "sub/1", "url": HOOK}


def subscriptions(replies: Replies, path: str | None = PATH) -> Subscriptions:
    """What the client offers for a provider with such a path."""
    return DexcomClient(plain(replies), FakeClock(), subscriptions_path=path).subscriptions


def test_registering() -> None:
    """One POST to the configured path; a name for it comes back."""
    replies = Replies(httpx.Response(201, json=OURS))

    assert subscriptions(replies).register(TOKEN, HOOK) == Subscription("sub/1", HOOK)
    (request,) = replies.asked
    assert (request.method, str(request.url)) == ("POST", HOST + PATH)
    assert json.loads(request.content) == {"url": HOOK}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_listing() -> None:
    """What is registered, one by one."""
    assert subscriptions(Replies(ok({"subscriptions": [OURS]}))).listed(TOKEN) == (
        Subscription("sub/1", HOOK),
    )


def test_removing() -> None:
    """The id is one segment of the path, whatever is in it; removing what is gone is no error."""
    replies = Replies(httpx.Response(204), httpx.Response(404))

    assert subscriptions(replies).remove(TOKEN, "sub/1")
    assert not subscriptions(replies).remove(TOKEN, "sub/1")
    assert replies.asked[0].method == "DELETE"
    assert replies.asked[0].url.raw_path == b"/v3/subscriptions/sub%2F1"


def test_a_provider_without_subscriptions() -> None:
    """Dexcom documents none: without a configured path nobody is asked, and the caller is told."""
    replies = Replies(ok())
    none = subscriptions(replies, path=None)

    for ask in (
        lambda: none.register(TOKEN, HOOK),
        lambda: none.listed(TOKEN),
        lambda: none.remove(TOKEN, "x"),
    ):
        with pytest.raises(NotOffered):
            ask()
    assert replies.calls == 0


def test_refusals_are_sorted_as_everywhere() -> None:
    """A token that is not accepted, and an address that is not."""
    with pytest.raises(TokenRejected):
        subscriptions(Replies(httpx.Response(401))).remove(TOKEN, "sub/1")
    with pytest.raises(RequestRefused):
        subscriptions(Replies(httpx.Response(404))).register(TOKEN, HOOK)


@pytest.mark.parametrize("answer", [{}, {"subscriptions": None}, {"subscriptions": [{"id": 7}]}])
def test_an_answer_that_was_not_agreed(answer: dict[str, Any]) -> None:
    """It is our own contract, and it is held to."""
    with pytest.raises(ContractBroken):
        subscriptions(Replies(ok(answer))).listed(TOKEN)
