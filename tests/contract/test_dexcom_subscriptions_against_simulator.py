"""Webhook subscriptions, against a simulator with and without the endpoint."""

from __future__ import annotations

import pytest

from bg_ingest.providers.dexcom import DexcomClient
from bg_ingest.providers.dexcom.subscriptions import Subscription
from bg_ingest.providers.errors import NotOffered, RequestRefused, TokenRejected, TryLater
from dexcom_sim.faults import StatusFault, UserRevoked
from dexcom_sim.subscriptions import SUBSCRIPTIONS_MAX
from tests.contract.dexcom_caller import PERSON, SUBSCRIPTIONS_PATH, Caller, connected

HOOK = "https://service.test/api/bg/ada/webhook"


@pytest.fixture
def caller() -> Caller:
    """A user who is connected at a provider with subscriptions."""
    return connected(subscriptions_path=SUBSCRIPTIONS_PATH)


def registered(caller: Caller) -> list[str]:
    """The URLs that the provider would call."""
    return [each.url for each in caller.world.subscriptions.listed()]


def test_register_list_and_remove(caller: Caller) -> None:
    """A subscription is listed until it is removed, and each method makes one call."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token
    first = ours.register(token, HOOK)
    second = ours.register(token, HOOK + "/other")

    assert ours.listed(token) == (first, second) == (Subscription(first.id, HOOK), second)
    assert ours.remove(token, first.id)
    assert ours.listed(token) == (second,)
    assert registered(caller) == [second.url]
    assert caller.calls == 5


def test_registering_a_url_twice_gives_one_subscription(caller: Caller) -> None:
    """A second registration of the same URL returns the first subscription."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token

    assert ours.register(token, HOOK) == ours.register(token, HOOK)
    assert registered(caller) == [HOOK]


def test_removing_an_unknown_subscription_returns_false(caller: Caller) -> None:
    """An unknown id returns False, also if it contains characters with a meaning in paths."""
    for gone in ("sub-4711", "a/b?c=d", "é"):
        assert not caller.client.subscriptions.remove(caller.tokens.access_token, gone)


def test_users_see_only_their_own_subscriptions(caller: Caller) -> None:
    """The subscription of another user is not listed and cannot be removed."""
    ours = caller.client.subscriptions
    other = caller.oauth.exchange(caller.code("SandboxUser3"))
    mine = ours.register(caller.tokens.access_token, HOOK)

    assert ours.listed(other.access_token) == ()
    assert not ours.remove(other.access_token, mine.id)
    assert registered(caller) == [HOOK]


def test_revoked_consent_ends_the_subscriptions(caller: Caller) -> None:
    """After the user revokes the consent, no subscription is left and the token is rejected."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token
    ours.register(token, HOOK)
    caller.order(UserRevoked(user=PERSON))

    assert registered(caller) == []
    with pytest.raises(TokenRejected):
        ours.listed(token)


@pytest.mark.parametrize("address", ["", "ftp://service.test", "https://" + "x" * 3_000])
def test_invalid_url_is_rejected(caller: Caller, address: str) -> None:
    """An invalid URL raises RequestRefused after one call."""
    with pytest.raises(RequestRefused):
        caller.client.subscriptions.register(caller.tokens.access_token, address)
    assert (registered(caller), caller.calls) == ([], 1)


def test_number_of_subscriptions_is_limited(caller: Caller) -> None:
    """A registration above the provider's limit raises RequestRefused."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token
    for number in range(SUBSCRIPTIONS_MAX):
        ours.register(token, f"{HOOK}/{number}")
    with pytest.raises(RequestRefused):
        ours.register(token, f"{HOOK}/one-more")


def test_only_listing_is_retried(caller: Caller) -> None:
    """Listing is retried after a 503; registering is not, because it may have succeeded."""
    caller.order(StatusFault(status=503, path=SUBSCRIPTIONS_PATH, times=1))
    assert caller.client.subscriptions.listed(caller.tokens.access_token) == ()
    assert caller.calls == 2

    caller.order(StatusFault(status=503, path=SUBSCRIPTIONS_PATH, times=1))
    with pytest.raises(TryLater):
        caller.client.subscriptions.register(caller.tokens.access_token, HOOK)
    assert caller.calls == 3


def test_without_a_path_no_request_is_sent() -> None:
    """Without a configured path every method raises NotOffered and makes no call."""
    caller = connected()
    for call in (
        lambda token: caller.client.subscriptions.register(token, HOOK),
        caller.client.subscriptions.listed,
        lambda token: caller.client.subscriptions.remove(token, "sub-1"),
    ):
        with pytest.raises(NotOffered, match="this provider offers no webhook subscriptions"):
            call(caller.tokens.access_token)
    assert caller.calls == 0


def test_unknown_path_is_rejected() -> None:
    """A path that the provider does not have raises RequestRefused."""
    caller = connected()
    http = caller.client.subscriptions.http
    client = DexcomClient(http, caller.clock, subscriptions_path=SUBSCRIPTIONS_PATH)
    with pytest.raises(RequestRefused):
        client.subscriptions.register(caller.tokens.access_token, HOOK)
