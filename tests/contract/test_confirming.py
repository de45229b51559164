"""Confirmation of a login by the user it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.connecting import flow
from bg_ingest.connecting.flow import ConnectDeps, LoginOutcome, LoginResult
from bg_ingest.connecting.new_connection import confirm
from bg_ingest.sync.job import ACCOUNT_CHANGED
from tests.contract.account_world import AccountWorld, LoginPage, kinds
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock


@pytest.fixture
def accounts(
    users_table: Table, readings_table: Table, intake_table: Table, clock: FakeClock
) -> AccountWorld:
    """Empty tables."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    return AccountWorld(world, readings_table, intake_table, clock)


def parked(deps: ConnectDeps, user_id: str) -> LoginResult:
    """Start a login of this user, and let the provider accept it."""
    flow.start(deps, user_id, None)
    assert isinstance(deps.provider_login, LoginPage)
    state = deps.provider_login.states[-1]
    return flow.finish_login(deps, state_value=state, code="good", error=None, correlation_id="c")


def code_for(deps: ConnectDeps, user_id: str) -> str:
    """Return the code of a login that the provider has accepted."""
    code = parked(deps, user_id).code
    assert code is not None
    return code


def test_the_callback_alone_connects_no_user(accounts: AccountWorld) -> None:
    """A person who opens another user's link and logs in gives that user nothing without the code."""
    deps = accounts.deps()
    result = parked(deps, "ada")

    assert (result.outcome, result.user_id) == (LoginOutcome.PARKED, "ada")
    assert deps.parked.get("ada") is not None
    assert deps.connections.get("ada") is None
    assert deps.states.get("ada") is None
    assert accounts.orders == []


def test_the_right_code_connects_once(accounts: AccountWorld) -> None:
    """The first confirmation connects and orders the history; the second finds no login."""
    deps = accounts.deps()
    code = code_for(deps, "ada")

    assert confirm(deps, "ada", code, "c") is True
    assert confirm(deps, "ada", code, "c") is False
    connection = deps.connections.get("ada")
    assert connection is not None
    assert connection.state is ConnectionState.CONNECTED
    assert deps.parked.get("ada") is None
    assert len(accounts.orders) == 1


def test_a_code_connects_only_its_own_user(accounts: AccountWorld) -> None:
    """Another user's code, a wrong one and an empty one connect no user and leave the login parked."""
    deps = accounts.deps()
    adas, bobs = code_for(deps, "ada"), code_for(deps, "bob")

    assert [confirm(deps, "ada", code, "c") for code in (bobs, "wrong", "", "\ud800")] == [False] * 4
    assert confirm(deps, "eve", adas, "c") is False
    assert deps.connections.get("ada") is None
    assert confirm(deps, "ada", adas, "c") is True


@pytest.mark.parametrize(("after_s", "accepted"), [(599, True), (600, False)])
def test_a_code_is_valid_for_ten_minutes(accounts: AccountWorld, after_s: int, *, accepted: bool) -> None:
    """An expired code is refused, although DynamoDB removes its item only hours later."""
    deps = accounts.deps()
    code = code_for(deps, "ada")
    accounts.clock.advance(after_s)

    assert confirm(deps, "ada", code, "c") is accepted
    assert deps.parked.get("ada") is None


def test_a_later_login_replaces_the_parked_one(accounts: AccountWorld) -> None:
    """Only the later one of two accepted logins can be confirmed."""
    deps = accounts.deps()
    first, second = code_for(deps, "ada"), code_for(deps, "ada")

    assert confirm(deps, "ada", first, "c") is False
    assert confirm(deps, "ada", second, "c") is True


def test_disconnecting_drops_a_parked_login(accounts: AccountWorld) -> None:
    """The code of a login before the disconnection is worth nothing, also for a user who never connected."""
    deps = accounts.deps()
    accounts.connect("ada")
    for user_id in ("ada", "bob"):
        code = code_for(deps, user_id)
        flow.disconnect(deps, user_id)

        assert confirm(deps, user_id, code, "c") is False


def test_an_erasure_drops_a_parked_login(accounts: AccountWorld) -> None:
    """Nothing but the receipt is left, and the code connects no user."""
    deps = accounts.deps()
    code = code_for(deps, "ada")
    accounts.eraser().erase("ada", lambda: 29.0)
    accounts.let_everything_end()

    assert confirm(deps, "ada", code, "c") is False
    assert kinds(accounts.stored_about("ada")) == {"receipt"}


def test_one_of_two_confirmations_at_once_connects(accounts: AccountWorld) -> None:
    """A confirmation that arrives between any two steps of another leaves one connection and one history."""
    for step in range(1, 12):
        user_id = f"ada-{step}"
        code = code_for(accounts.deps(), user_id)
        seen: list[str] = []
        results: list[bool] = []

        def turn(name: str) -> None:
            seen.append(name)  # noqa: B023 - it runs within this iteration.
            if len(seen) == step:  # noqa: B023 - as above.
                results.append(confirm(accounts.deps(), user_id, code, "c"))  # noqa: B023 - as above.

        before = len(accounts.orders)
        results.append(confirm(accounts.deps(turn), user_id, code, "c"))

        assert results.count(True) == 1
        assert len(accounts.orders) == before + 1


def test_another_account_is_refused_at_the_callback(accounts: AccountWorld) -> None:
    """The connection stays as it is, no code is given, and the last error says why."""
    deps = accounts.deps()
    accounts.account = "one"
    assert confirm(deps, "ada", code_for(deps, "ada"), "c")
    before = deps.connections.get("ada")
    accounts.account = "two"
    result = parked(deps, "ada")
    state = deps.states.get("ada")

    assert (result.outcome, result.code) == (LoginOutcome.ACCOUNT_CHANGED, None)
    assert deps.connections.get("ada") == before
    assert deps.parked.get("ada") is None
    assert state is not None
    assert state.last_error is not None
    assert state.last_error[0] == ACCOUNT_CHANGED


def test_the_account_is_stored_with_the_confirmation(accounts: AccountWorld) -> None:
    """The first sync then compares with it; a confirmation that would replace another one is refused."""
    deps = accounts.deps()
    accounts.account = "one"
    first = code_for(deps, "ada")
    assert confirm(deps, "ada", first, "c")
    connection = deps.connections.get("ada")
    assert connection is not None
    assert connection.account == "one"

    second = code_for(deps, "ada")
    accounts.world.table.update("ada", "connection", "SET account = :a", {":a": "another"})
    assert confirm(deps, "ada", second, "c") is False


def test_the_table_shows_neither_code_nor_tokens(accounts: AccountWorld) -> None:
    """A reader of the table cannot confirm a login, and cannot use its tokens."""
    code = code_for(accounts.deps(), "ada")
    items = str(accounts.world.table.client.scan(TableName=accounts.world.table.name)["Items"])

    assert code not in items
    assert "access-1" not in items
    assert "refresh-1" not in items
