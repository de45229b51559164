from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.connecting import flow
from bg_ingest.connecting.flow import ConnectDeps, LoginOutcome, LoginResult
from bg_ingest.connecting.new_connection import confirm
from bg_ingest.dynamo import Table
from bg_ingest.providers.errors import ApplicationFull, CircuitOpen, CodeRefused, ProviderError, Unavailable
from bg_ingest.sync.job import JobKind
from tests.contract.account_world import HISTORY, AccountWorld, LoginPage, kinds
from tests.contract.stepped import At, Crash, HalfWay, crash
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.fakes import FakeClock
from tests.support.moto_kms import kms_client, quick_key


@pytest.fixture
def accounts(
    users_table: Table, readings_table: Table, intake_table: Table, clock: FakeClock
) -> AccountWorld:
    """Empty tables."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    return AccountWorld(world, readings_table, intake_table, clock)


def state_of(deps: ConnectDeps, user_id: str, return_url: str | None = None) -> str:
    """Start a login, and return the state value of its link."""
    flow.start(deps, user_id, return_url)
    assert isinstance(deps.provider_login, LoginPage)
    return deps.provider_login.states[-1]


def back(
    deps: ConnectDeps, state: str | None, code: str | None = "good", error: str | None = None
) -> LoginResult:
    """Come back from the provider's login page, and confirm the login if the provider accepted it."""
    result = returned(deps, state, code, error)
    if result.code is not None:
        assert result.user_id is not None
        confirm(deps, result.user_id, result.code, "c")  # False if the user was erased meanwhile.
    return replace(result, user_id=None, code=None)


def returned(
    deps: ConnectDeps, state: str | None, code: str | None = "good", error: str | None = None
) -> LoginResult:
    """Come back from the provider's login page, as its redirect does."""
    return flow.finish_login(deps, state_value=state, code=code, error=error, correlation_id="c")


def test_a_finished_login_connects_polls_and_fetches_history(accounts: AccountWorld) -> None:
    """The login connects the user who started it, and returns the requested address."""
    deps = accounts.deps()
    ended = back(deps, state_of(deps, "ada", "https://app.example.org/done"))

    assert ended == LoginResult(LoginOutcome.PARKED, "https://app.example.org/done")
    connection, state = deps.connections.get("ada"), deps.states.get("ada")
    assert connection is not None
    assert state is not None
    assert connection.state is ConnectionState.CONNECTED
    assert state.slot is not None
    assert state.backfill.start == accounts.clock.now() - HISTORY
    assert [(order.user_id, order.kind) for order in accounts.orders] == [("ada", JobKind.BACKFILL)]
    assert [entry.outcome for entry in deps.audit.newest_first("ada")] == [AuditOutcome.DONE]


def test_a_state_works_once_and_for_ten_minutes(accounts: AccountWorld) -> None:
    """A used, expired, invented or missing state is refused in the same way, and connects no user."""
    deps = accounts.deps()
    used = state_of(deps, "ada")
    back(deps, used, code=None)
    back(deps, state_of(deps, "ada"))
    expired = state_of(deps, "bob")
    accounts.clock.advance(timedelta(minutes=10).total_seconds())

    assert [back(deps, state).outcome for state in (used, expired, "made-up", "", None)] == [
        LoginOutcome.STATE_INVALID
    ] * 5
    assert deps.connections.get("bob") is None
    assert len(accounts.orders) == 1


def test_a_reloaded_page_has_the_same_result(accounts: AccountWorld) -> None:
    """The result is repeated for ten minutes, while the user stays connected, and connects no user again."""
    deps = accounts.deps()
    state = state_of(deps, "ada", "https://app.example.org/done")
    back(deps, state)
    reloaded = back(deps, state)
    flow.disconnect(deps, "ada")
    disconnected = back(deps, state)

    assert reloaded == LoginResult(LoginOutcome.CONFIRMED, "https://app.example.org/done")
    assert disconnected == LoginResult(LoginOutcome.STATE_INVALID)
    assert len(accounts.orders) == 1

    state = state_of(deps, "bob")
    back(deps, state)
    accounts.clock.advance(600)
    assert back(deps, state) == LoginResult(LoginOutcome.STATE_INVALID)


def test_a_state_is_valid_until_its_last_second(accounts: AccountWorld) -> None:
    """A state is accepted one second before its ten minutes end."""
    deps = accounts.deps()
    state = state_of(deps, "ada")
    accounts.clock.advance(timedelta(minutes=10).total_seconds() - 1)

    assert back(deps, state).outcome is LoginOutcome.PARKED


def test_a_state_connects_the_user_it_was_made_for(accounts: AccountWorld) -> None:
    """Another login at the same time does not change whose login a state is."""
    deps = accounts.deps()
    adas, bobs = state_of(deps, "ada"), state_of(deps, "bob")
    back(deps, bobs)

    assert deps.connections.get("ada") is None
    assert deps.connections.get("bob") is not None
    assert back(deps, adas).outcome is LoginOutcome.PARKED


def test_only_one_of_two_concurrent_callbacks_connects(accounts: AccountWorld) -> None:
    """If the second arrives between any two steps of the first, then one of them connects."""
    for step in range(1, 4):
        deps = accounts.deps()
        state = state_of(deps, f"ada-{step}")
        seen: list[LoginOutcome] = []
        turn = _at(step, lambda s=state, d=deps, e=seen: e.append(back(d, s).outcome))  # type: ignore[misc]
        seen.append(back(accounts.deps(turn), state).outcome)

        # The second comes too early to succeed, or finds that the first has.
        assert seen.count(LoginOutcome.PARKED) == 1
        assert set(seen) - {LoginOutcome.PARKED} <= {LoginOutcome.STATE_INVALID, LoginOutcome.CONFIRMED}
        assert len(accounts.orders) == step


def test_a_second_callback_is_refused_during_the_exchange(accounts: AccountWorld) -> None:
    """The second callback is refused while the first still waits for the provider."""
    state, first = _started(accounts, "ada"), HalfWay("before exchange")
    meanwhile = At("after query", lambda: first.start(lambda: back(accounts.deps(first), state).outcome))

    assert back(accounts.deps(meanwhile), state).outcome is LoginOutcome.STATE_INVALID
    assert first.finish() is LoginOutcome.PARKED


@pytest.mark.parametrize(
    ("code", "error", "ending"),
    [
        (None, "access_denied", LoginOutcome.DENIED),
        (None, "server_error", LoginOutcome.REFUSED),
        (None, None, LoginOutcome.REFUSED),
    ],
)
def test_a_denied_login_leaves_only_its_audit_entry(
    accounts: AccountWorld, code: str | None, error: str | None, ending: LoginOutcome
) -> None:
    """A login that the user or the provider refused uses its state up and connects no user."""
    deps = accounts.deps()
    state = state_of(deps, "ada")

    assert back(deps, state, code, error).outcome is ending
    assert back(deps, state).outcome is LoginOutcome.STATE_INVALID
    assert deps.connections.get("ada") is None
    assert [entry.outcome for entry in deps.audit.newest_first("ada")] == [AuditOutcome.REFUSED]
    assert len(accounts.stored_about("ada")) == 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (CodeRefused(), LoginOutcome.REFUSED),
        (Unavailable(), LoginOutcome.UNAVAILABLE),
        (CircuitOpen(), LoginOutcome.UNAVAILABLE),
        (ApplicationFull(), LoginOutcome.FULL),
    ],
)
def test_each_login_failure_has_its_own_outcome(
    accounts: AccountWorld, error: ProviderError, ending: LoginOutcome
) -> None:
    """The outcome shows whether a new login can succeed at once, later, or never."""

    def fail(step: str) -> None:
        if step == "before exchange":
            raise error

    deps = accounts.deps(fail)
    ended = back(deps, state_of(deps, "ada"))

    assert (ended.outcome, ended.error) == (ending, type(error).__name__)
    assert deps.connections.get("ada") is None


@pytest.mark.exhaustive
def test_a_login_after_a_crashed_one_succeeds(accounts: AccountWorld) -> None:
    """After a crash at any step, a new login connects, polls and fetches."""
    steps = _steps_of_a_login(accounts)
    assert steps > 10
    for step in range(1, steps + 1):
        user_id = f"ada-{step}"
        state = _started(accounts, user_id)
        with pytest.raises(Crash):
            back(accounts.deps(_at(step, crash)), state)
        before = len(accounts.orders)
        deps = accounts.deps()

        assert back(deps, _started(accounts, user_id)).outcome is LoginOutcome.PARKED
        known = deps.states.get(user_id)
        assert known is not None
        assert known.slot is not None
        assert len(accounts.orders) == before + 1


@pytest.mark.exhaustive
def test_a_login_connects_and_polls_or_does_neither(accounts: AccountWorld) -> None:
    """The connection, the poll slot and the history's job are one transaction, for a crash at any step."""
    for step in range(1, _steps_of_a_login(accounts) + 1):
        user_id = f"ada-{step}"
        with pytest.raises(Crash):
            back(accounts.deps(_at(step, crash)), _started(accounts, user_id))
        deps = accounts.deps()
        known, jobs = deps.states.get(user_id), list(deps.jobs.newest_first(user_id))
        stored = [deps.connections.get(user_id) is not None, bool(known and known.slot), len(jobs) == 1]

        assert all(stored) or not any(stored), stored


@pytest.mark.exhaustive
def test_disconnecting_stops_polls_or_changes_nothing(accounts: AccountWorld) -> None:
    """A user who is shown as connected is polled, for a crash at any step."""
    seen: list[str] = []
    accounts.connect("counted")
    flow.disconnect(accounts.deps(seen.append), "counted")
    for step in range(1, len(seen) + 1):
        user_id = f"ada-{step}"
        accounts.connect(user_id)
        with pytest.raises(Crash):
            flow.disconnect(accounts.deps(_at(step, crash)), user_id)
        connection, known = accounts.deps().connections.get(user_id), accounts.deps().states.get(user_id)

        assert connection is not None
        assert known is not None
        assert (connection.state is ConnectionState.CONNECTED) == (known.slot is not None)


@pytest.mark.exhaustive
def test_no_user_is_polled_without_tokens_after_a_crash(accounts: AccountWorld) -> None:
    """The poll slot is never written before the tokens."""
    for step in range(1, _steps_of_a_login(accounts) + 1):
        user_id = f"ada-{step}"
        state = _started(accounts, user_id)
        with pytest.raises(Crash):
            back(accounts.deps(_at(step, crash)), state)
        deps = accounts.deps()
        known = deps.states.get(user_id)

        assert known is None or deps.connections.get(user_id) is not None


@pytest.mark.exhaustive
def test_a_login_during_a_failing_sync_resumes_polls(accounts: AccountWorld) -> None:
    """A sync that finds no login is paused at each step, the user logs in, and the sync continues."""
    given_up: list[str] = []
    _without_a_login(accounts, "counted")
    accounts.backfill("counted", given_up.append)
    for step in range(1, len(given_up) + 1):
        user_id = f"ada-{step}"
        _without_a_login(accounts, user_id)
        accounts.backfill(user_id, _at(step, lambda u=user_id: back(accounts.deps(), _started(accounts, u))))  # type: ignore[misc]
        known = accounts.deps().states.get(user_id)

        assert known is not None
        assert known.slot is not None, given_up[step - 1 :]


@pytest.mark.exhaustive
def test_a_person_erased_while_logging_in_stays_erased(accounts: AccountWorld) -> None:
    """The callback is paused at each step, the user is erased, and the callback continues."""
    for step in range(1, _steps_of_a_login(accounts) + 1):
        user_id = f"ada-{step}"
        state = _started(accounts, user_id)
        eraser = accounts.eraser()
        erase = lambda e=eraser, u=user_id: e.erase(u, lambda: 29.0)  # noqa: E731
        back(accounts.deps(_at(step, erase)), state)
        accounts.let_everything_end()

        assert kinds(accounts.stored_about(user_id)) == {"receipt"}, f"paused at step {step}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("dies_after", [1, 3, 7])
def test_an_erased_user_stays_erased_if_the_callback_crashes(accounts: AccountWorld, dies_after: int) -> None:
    """The callback is paused at each write for an erasure, and crashes one to seven steps later."""
    seen: list[str] = []
    back(accounts.deps(seen.append), _started(accounts, "counted"))
    writes = [at for at, step in enumerate(seen, 1) if step.endswith(("_item", "exchange"))][::2]
    for paused_at in writes:
        user_id = f"ada-{paused_at}"
        turn = _Unlucky(accounts, user_id, paused_at, paused_at + dies_after)
        with suppress(Crash):  # It may have finished before.
            back(accounts.deps(turn), _started(accounts, user_id))
        if accounts.deps().states.get(user_id):
            accounts.backfill(user_id)  # A worker runs the job that the callback left.
        accounts.let_everything_end()

        assert kinds(accounts.stored_about(user_id)) == {"receipt"}, turn.seen[paused_at - 1 :]


@pytest.mark.exhaustive
def test_a_callback_crash_while_undoing_leaves_no_user(accounts: AccountWorld) -> None:
    """A user is erased during the exchange, and the callback crashes at each step of undoing the login."""
    seen: list[str] = []
    back(accounts.deps(seen.append), _started(accounts, "counted"))
    for dies_at in range(len(seen) - 1, len(seen) + 6):
        user_id = f"ada-{dies_at}"
        turn = _Unlucky(accounts, user_id, seen.index("before exchange") + 1, dies_at)
        with suppress(Crash):  # The last one finishes.
            back(accounts.deps(turn), _started(accounts, user_id))
        accounts.let_everything_end()

        assert kinds(accounts.stored_about(user_id)) == {"receipt"}, turn.seen[-3:]


class _Unlucky:
    """A process that is paused for an erasure and crashes at a later step; each step takes time."""

    def __init__(self, accounts: AccountWorld, user_id: str, paused_at: int, dies_at: int) -> None:
        self.accounts, self.user_id, self.paused_at, self.dies_at = accounts, user_id, paused_at, dies_at
        self.seen: list[str] = []

    def __call__(self, step: str) -> None:
        """Record the step, and erase or crash if this is the step."""
        self.seen.append(step)
        self.accounts.clock.advance(0.01)
        if len(self.seen) == self.paused_at:
            self.accounts.eraser().erase(self.user_id, lambda: 29.0)
        if len(self.seen) == self.dies_at:
            crash()


def test_an_erased_user_can_log_in_again_at_once(accounts: AccountWorld) -> None:
    """A second look that runs during the new login removes only data from before the erasure."""
    accounts.connect("ada")
    accounts.eraser().erase("ada", lambda: 29.0)
    accounts.clock.advance(60)
    state = _started(accounts, "ada")
    accounts.let_everything_end()

    assert back(accounts.deps(), state).outcome is LoginOutcome.PARKED


@pytest.mark.exhaustive
def test_a_login_during_the_second_look_connects(accounts: AccountWorld) -> None:
    """The second look is paused at each step, the user finishes a login, and the second look continues."""
    seen: list[str] = []
    accounts.eraser(seen.append).second_look(_erased_and_back(accounts, "counted")[0], lambda: 29.0)
    for step in range(1, len(seen) + 1):
        user_id, state = _erased_and_back(accounts, f"ada-{step}")
        turn = _at(step, lambda s=state: back(accounts.deps(), s))  # type: ignore[misc]
        accounts.eraser(turn).second_look(user_id, lambda: 29.0)

        assert accounts.world.connections.get(user_id) is not None, seen[step - 1 :]
        assert accounts.deps().states.get(user_id) is not None


def test_the_table_contains_no_login_state(accounts: AccountWorld) -> None:
    """A reader of the table finds the hash of a state and not the state."""
    state = _started(accounts, "ada")
    (item,) = accounts.world.table.client.scan(TableName=accounts.world.table.name)["Items"]

    assert state not in str(item)


def _erased_and_back(accounts: AccountWorld, user_id: str) -> tuple[str, str]:
    accounts.connect(user_id)
    accounts.eraser().erase(user_id, lambda: 29.0)
    accounts.clock.advance(60)
    return user_id, _started(accounts, user_id)


def _without_a_login(accounts: AccountWorld, user_id: str) -> None:
    accounts.connect(user_id)
    accounts.world.table.delete(user_id, "connection")


def _started(accounts: AccountWorld, user_id: str) -> str:
    return state_of(accounts.deps(), user_id)


def _steps_of_a_login(accounts: AccountWorld) -> int:
    seen: list[str] = []
    back(accounts.deps(seen.append), _started(accounts, "counted"))
    return len(seen)


def _at(nth: int, action: Callable[[], object]) -> Callable[[str], None]:
    steps: list[str] = []

    def turn(step: str) -> None:
        steps.append(step)
        if len(steps) == nth:
            action()

    return turn
