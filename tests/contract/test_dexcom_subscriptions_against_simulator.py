"""The client's subscriptions, against a simulated provider that has them and against one that has none."""

from __future__ import annotations

import pytest

from bg_ingest.providers.dexcom import DexcomClient
from bg_ingest.providers.dexcom.subscriptions import Subscription
from bg_ingest.providers.errors import NotOffered, RequestRefused, TokenRejected, TryLater
from dexcom_sim.faults import StatusFault, UserRevoked
from dexcom_sim.subscriptions import SUBSCRIPTIONS_MAX
from tests.contract.dexcom_caller import PERSON, SUBSCRIPTIONS_PATH, Caller, connected

HOOK = "https://service.test/api/bg/somebody/webhook"


@pytest.fixture
def caller() -> Caller:
    """Somebody connected at a provider with subscriptions."""
    return connected(subscriptions_path=SUBSCRIPTIONS_PATH)


def kept(caller: Caller) -> list[str]:
    """The addresses the provider would call."""
    return [each.url for each in caller.world.subscriptions.listed()]


def test_registering_listing_and_removing(caller: Caller) -> None:
    """What was registered is listed until it is removed; each is one call."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token
    first = ours.register(token, HOOK)
    second = ours.register(token, HOOK + "/other")

    assert ours.listed(token) == (first, second) == (Subscription(first.id, HOOK), second)
    assert ours.remove(token, first.id)
    assert ours.listed(token) == (second,)
    assert kept(caller) == [second.url]
    assert caller.calls == 5


def test_the_same_address_again_is_the_same_subscription(caller: Caller) -> None:
    """Registering is not repeated by itself, but it may be repeated."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token

    assert ours.register(token, HOOK) == ours.register(token, HOOK)
    assert kept(caller) == [HOOK]


def test_removing_what_is_not_there_is_no_error(caller: Caller) -> None:
    """Nor is an id with characters that mean something in a path."""
    for gone in ("sub-4711", "a/b?c=d", "é"):
        assert not caller.client.subscriptions.remove(caller.tokens.access_token, gone)


def test_everybody_has_their_own(caller: Caller) -> None:
    """Another person's is neither listed nor removed."""
    ours = caller.client.subscriptions
    other = caller.oauth.exchange(caller.code("SandboxUser3"))
    mine = ours.register(caller.tokens.access_token, HOOK)

    assert ours.listed(other.access_token) == ()
    assert not ours.remove(other.access_token, mine.id)
    assert kept(caller) == [HOOK]


def test_they_end_with_the_consent(caller: Caller) -> None:
    """A person who withdrew it is not told of; asking for the list is a rejected token."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token
    ours.register(token, HOOK)
    caller.order(UserRevoked(user=PERSON))

    assert kept(caller) == []
    with pytest.raises(TokenRejected):
        ours.listed(token)


@pytest.mark.parametrize("address", ["", "ftp://service.test", "https://" + "x" * 3_000])
def test_what_is_no_address_is_refused(caller: Caller, address: str) -> None:
    """Somebody has to look into it; asking again would not help."""
    with pytest.raises(RequestRefused):
        caller.client.subscriptions.register(caller.tokens.access_token, address)
    assert (kept(caller), caller.calls) == ([], 1)


def test_there_is_a_limit(caller: Caller) -> None:
    """Whoever registers a new address each time is stopped."""
    ours, token = caller.client.subscriptions, caller.tokens.access_token
    for number in range(SUBSCRIPTIONS_MAX):
        ours.register(token, f"{HOOK}/{number}")
    with pytest.raises(RequestRefused):
        ours.register(token, f"{HOOK}/one-more")


def test_an_outage_is_met_as_with_data(caller: Caller) -> None:
    """Listing is repeated, registering is not: it may have happened."""
    caller.order(StatusFault(status=503, path=SUBSCRIPTIONS_PATH, times=1))
    assert caller.client.subscriptions.listed(caller.tokens.access_token) == ()
    assert caller.calls == 2

    caller.order(StatusFault(status=503, path=SUBSCRIPTIONS_PATH, times=1))
    with pytest.raises(TryLater):
        caller.client.subscriptions.register(caller.tokens.access_token, HOOK)
    assert caller.calls == 3


def test_a_provider_without_them_is_not_asked() -> None:
    """As Dexcom itself: without a configured path the answer is ours, and says so."""
    caller = connected()
    for ask in (
        lambda token: caller.client.subscriptions.register(token, HOOK),
        caller.client.subscriptions.listed,
        lambda token: caller.client.subscriptions.remove(token, "sub-1"),
    ):
        with pytest.raises(NotOffered, match="this provider offers no webhook subscriptions"):
            ask(caller.tokens.access_token)
    assert caller.calls == 0


def test_a_path_the_provider_does_not_have_is_refused() -> None:
    """Configured for somebody else's provider: the simulator has none unless it is told a path."""
    caller = connected()
    http = caller.client.subscriptions.http
    client = DexcomClient(http, caller.clock, subscriptions_path=SUBSCRIPTIONS_PATH)
    with pytest.raises(RequestRefused):
        client.subscriptions.register(caller.tokens.access_token, HOOK)
