from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.connecting import flow
from bg_ingest.connecting.flow import ConnectDeps, LoginOutcome, LoginResult
from bg_ingest.dynamo import Table
from bg_ingest.providers.errors import ApplicationFull, CircuitOpen, CodeRefused, ProviderError, Unavailable
from bg_ingest.sync.job import JobKind
from tests.contract.people import HISTORY, LoginPage, People, kinds
from tests.contract.stepped import At, Crash, HalfWay, crash
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.fakes import FakeClock
from tests.support.moto_kms import kms_client, quick_key


@pytest.fixture
def people(users_table: Table, readings_table: Table, clock: FakeClock) -> People:
    """Nobody yet."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    return People(world, readings_table, clock)


def state_of(deps: ConnectDeps, user_id: str, return_url: str | None = None) -> str:
    """Start a login; the state value in its link."""
    flow.start(deps, user_id, return_url)
    assert isinstance(deps.provider_login, LoginPage)
    return deps.provider_login.states[-1]


def back(
    deps: ConnectDeps, state: str | None, code: str | None = "good", error: str | None = None
) -> LoginResult:
    """The person comes back."""
    return flow.finish_login(deps, state_value=state, code=code, error=error, correlation_id="c")


def test_coming_back_connects_polls_and_fetches_the_history(people: People) -> None:
    """For the user who asked, and on to where they wanted to go."""
    deps = people.deps()
    ended = back(deps, state_of(deps, "ada", "https://app.example.org/done"))

    assert ended == LoginResult(LoginOutcome.CONNECTED, "https://app.example.org/done")
    connection, state = deps.connections.get("ada"), deps.states.get("ada")
    assert connection is not None
    assert state is not None
    assert connection.state is ConnectionState.CONNECTED
    assert state.slot is not None
    assert state.backfill.start == people.clock.now() - HISTORY
    assert [(order.user_id, order.kind) for order in people.orders] == [("ada", JobKind.BACKFILL)]
    assert [entry.outcome for entry in deps.audit.newest_first("ada")] == [AuditOutcome.DONE]


def test_a_state_works_once_and_for_ten_minutes(people: People) -> None:
    """Used, expired, made up, or missing: all alike, and nothing is connected."""
    deps = people.deps()
    used = state_of(deps, "ada")
    back(deps, used)
    expired = state_of(deps, "bob")
    people.clock.advance(timedelta(minutes=10).total_seconds())

    assert [back(deps, state).outcome for state in (used, expired, "made-up", "", None)] == [
        LoginOutcome.STATE_INVALID
    ] * 5
    assert deps.connections.get("bob") is None
    assert len(people.orders) == 1


def test_a_state_is_good_until_its_last_second(people: People) -> None:
    """Ten minutes are ten minutes."""
    deps = people.deps()
    state = state_of(deps, "ada")
    people.clock.advance(timedelta(minutes=10).total_seconds() - 1)

    assert back(deps, state).outcome is LoginOutcome.CONNECTED


def test_a_state_connects_whom_it_was_made_for(people: People) -> None:
    """Whoever carries it back, and whoever else is logging in."""
    deps = people.deps()
    adas, bobs = state_of(deps, "ada"), state_of(deps, "bob")
    back(deps, bobs)

    assert deps.connections.get("ada") is None
    assert deps.connections.get("bob") is not None
    assert back(deps, adas).outcome is LoginOutcome.CONNECTED


def test_two_callbacks_at_once_are_one(people: People) -> None:
    """The second comes between any two steps of the first; one of them connects."""
    for step in range(1, 4):
        deps = people.deps()
        state = state_of(deps, f"ada-{step}")
        seen: list[LoginOutcome] = []
        turn = _at(step, lambda s=state, d=deps, e=seen: e.append(back(d, s).outcome))  # type: ignore[misc]
        seen.append(back(people.deps(turn), state).outcome)

        assert sorted(seen) == [LoginOutcome.CONNECTED, LoginOutcome.STATE_INVALID]


def test_of_two_callbacks_that_both_found_the_login_one_connects(people: People) -> None:
    """The other is refused even while the first still talks to the provider."""
    state, first = _started(people, "ada"), HalfWay("before exchange")
    meanwhile = At("after query", lambda: first.start(lambda: back(people.deps(first), state).outcome))

    assert back(people.deps(meanwhile), state).outcome is LoginOutcome.STATE_INVALID
    assert first.finish() is LoginOutcome.CONNECTED


@pytest.mark.parametrize(
    ("code", "error", "ending"),
    [
        (None, "access_denied", LoginOutcome.DENIED),
        (None, "server_error", LoginOutcome.REFUSED),
        (None, None, LoginOutcome.REFUSED),
    ],
)
def test_saying_no_leaves_nothing_but_the_record(
    people: People, code: str | None, error: str | None, ending: LoginOutcome
) -> None:
    """The state is used up all the same."""
    deps = people.deps()
    state = state_of(deps, "ada")

    assert back(deps, state, code, error).outcome is ending
    assert back(deps, state).outcome is LoginOutcome.STATE_INVALID
    assert deps.connections.get("ada") is None
    assert [entry.outcome for entry in deps.audit.newest_first("ada")] == [AuditOutcome.REFUSED]
    assert len(people.stored_about("ada")) == 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (CodeRefused(), LoginOutcome.REFUSED),
        (Unavailable(), LoginOutcome.UNAVAILABLE),
        (CircuitOpen(), LoginOutcome.UNAVAILABLE),
        (ApplicationFull(), LoginOutcome.FULL),
    ],
)
def test_why_a_login_failed_is_told_apart(people: People, error: ProviderError, ending: LoginOutcome) -> None:
    """Starting again at once, later, or not at all: the person and the operator need to know which."""

    def fail(step: str) -> None:
        if step == "before exchange":
            raise error

    deps = people.deps(fail)
    ended = back(deps, state_of(deps, "ada"))

    assert (ended.outcome, ended.error) == (ending, type(error).__name__)
    assert deps.connections.get("ada") is None


@pytest.mark.exhaustive
def test_a_login_that_dies_at_any_step_can_be_repeated(people: People) -> None:
    """Whatever was left, logging in again connects, polls and fetches."""
    steps = _steps_of_a_login(people)
    assert steps > 10
    for step in range(1, steps + 1):
        user_id = f"ada-{step}"
        state = _started(people, user_id)
        with pytest.raises(Crash):
            back(people.deps(_at(step, crash)), state)
        before = len(people.orders)
        deps = people.deps()

        assert back(deps, _started(people, user_id)).outcome is LoginOutcome.CONNECTED
        known = deps.states.get(user_id)
        assert known is not None
        assert known.slot is not None
        assert len(people.orders) == before + 1


@pytest.mark.exhaustive
def test_a_login_connects_and_polls_or_does_neither(people: People) -> None:
    """The connection, the poll slot and the history's job are one transaction, wherever the process dies."""
    for step in range(1, _steps_of_a_login(people) + 1):
        user_id = f"ada-{step}"
        with pytest.raises(Crash):
            back(people.deps(_at(step, crash)), _started(people, user_id))
        deps = people.deps()
        known, jobs = deps.states.get(user_id), list(deps.jobs.newest_first(user_id))
        stored = [deps.connections.get(user_id) is not None, bool(known and known.slot), len(jobs) == 1]

        assert all(stored) or not any(stored), stored


@pytest.mark.exhaustive
def test_disconnecting_stops_polls_or_changes_nothing(people: People) -> None:
    """A user who is shown as connected is polled, wherever the process dies."""
    seen: list[str] = []
    people.connect("counted")
    flow.disconnect(_one_table(people, seen.append), "counted")
    for step in range(1, len(seen) + 1):
        user_id = f"ada-{step}"
        people.connect(user_id)
        with pytest.raises(Crash):
            flow.disconnect(_one_table(people, _at(step, crash)), user_id)
        connection, known = people.deps().connections.get(user_id), people.deps().states.get(user_id)

        assert connection is not None
        assert known is not None
        assert (connection.state is ConnectionState.CONNECTED) == (known.slot is not None)


def _one_table(people: People, turn: Callable[[str], None]) -> ConnectDeps:
    deps = people.deps(turn)
    return replace(deps, connections=replace(deps.connections, table=deps.states.table))


@pytest.mark.exhaustive
def test_nobody_is_polled_without_tokens_wherever_a_login_dies(people: People) -> None:
    """A seat comes after the tokens, never before."""
    for step in range(1, _steps_of_a_login(people) + 1):
        user_id = f"ada-{step}"
        state = _started(people, user_id)
        with pytest.raises(Crash):
            back(people.deps(_at(step, crash)), state)
        deps = people.deps()
        known = deps.states.get(user_id)

        assert known is None or deps.connections.get(user_id) is not None


@pytest.mark.exhaustive
def test_logging_in_again_brings_polls_back_wherever_a_sync_gives_up(people: People) -> None:
    """Step by step: a sync that finds no login is paused there, the person logs in, and the sync goes on."""
    given_up: list[str] = []
    _without_a_login(people, "counted")
    people.backfill("counted", given_up.append)
    for step in range(1, len(given_up) + 1):
        user_id = f"ada-{step}"
        _without_a_login(people, user_id)
        people.backfill(user_id, _at(step, lambda u=user_id: back(people.deps(), _started(people, u))))  # type: ignore[misc]
        known = people.deps().states.get(user_id)

        assert known is not None
        assert known.slot is not None, given_up[step - 1 :]


@pytest.mark.exhaustive
def test_a_person_erased_while_logging_in_stays_erased(people: People) -> None:
    """Step by step: the callback is paused there, the person erased, and the callback goes on."""
    for step in range(1, _steps_of_a_login(people) + 1):
        user_id = f"ada-{step}"
        state = _started(people, user_id)
        eraser = people.eraser()
        erase = lambda e=eraser, u=user_id: e.erase(u, lambda: 29.0)  # noqa: E731
        back(people.deps(_at(step, erase)), state)
        people.let_everything_end()

        assert kinds(people.stored_about(user_id)) == {"receipt"}, f"paused at step {step}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("dies_after", [1, 3, 7])
def test_who_is_erased_while_logging_in_stays_erased_even_if_the_callback_dies(
    people: People, dies_after: int
) -> None:
    """Paused wherever it writes, for an erasure; then it dies, early or late in what it still does."""
    seen: list[str] = []
    back(people.deps(seen.append), _started(people, "counted"))
    writes = [at for at, step in enumerate(seen, 1) if step.endswith(("_item", "exchange"))][::2]
    for paused_at in writes:
        user_id = f"ada-{paused_at}"
        turn = _Unlucky(people, user_id, paused_at, paused_at + dies_after)
        with suppress(Crash):  # It may have come to its end before.
            back(people.deps(turn), _started(people, user_id))
        if people.deps().states.get(user_id):
            people.backfill(user_id)  # Somebody takes up what it left behind.
        people.let_everything_end()

        assert kinds(people.stored_about(user_id)) == {"receipt"}, turn.seen[paused_at - 1 :]


@pytest.mark.exhaustive
def test_a_callback_that_dies_while_it_takes_back_leaves_nobody_behind(people: People) -> None:
    """Erased while the provider was asked; that is noticed, and setting it right is cut off at every step."""
    seen: list[str] = []
    back(people.deps(seen.append), _started(people, "counted"))
    for dies_at in range(len(seen) - 1, len(seen) + 6):
        user_id = f"ada-{dies_at}"
        turn = _Unlucky(people, user_id, seen.index("before exchange") + 1, dies_at)
        with suppress(Crash):  # The last one comes to its end.
            back(people.deps(turn), _started(people, user_id))
        people.let_everything_end()

        assert kinds(people.stored_about(user_id)) == {"receipt"}, turn.seen[-3:]


class _Unlucky:
    """A process that is paused for an erasure, and dies at a later step; time passes with each."""

    def __init__(self, people: People, user_id: str, paused_at: int, dies_at: int) -> None:
        self.people, self.user_id, self.paused_at, self.dies_at = people, user_id, paused_at, dies_at
        self.seen: list[str] = []

    def __call__(self, step: str) -> None:
        """Take note, and do it when it is time."""
        self.seen.append(step)
        self.people.clock.advance(0.01)
        if len(self.seen) == self.paused_at:
            self.people.eraser().erase(self.user_id, lambda: 29.0)
        if len(self.seen) == self.dies_at:
            crash()


def test_who_was_erased_can_log_in_again_at_once(people: People) -> None:
    """The erasure's second look comes while they are at the provider; it is for what is from before."""
    people.connect("ada")
    people.eraser().erase("ada", lambda: 29.0)
    people.clock.advance(60)
    state = _started(people, "ada")
    people.let_everything_end()

    assert back(people.deps(), state).outcome is LoginOutcome.CONNECTED


@pytest.mark.exhaustive
def test_who_logs_in_again_while_the_second_look_is_taken_is_connected(people: People) -> None:
    """Step by step: the look is paused there, the person comes back from the provider, and it goes on."""
    seen: list[str] = []
    people.eraser(seen.append).second_look(_erased_and_back(people, "counted")[0], lambda: 29.0)
    for step in range(1, len(seen) + 1):
        user_id, state = _erased_and_back(people, f"ada-{step}")
        turn = _at(step, lambda s=state: back(people.deps(), s))  # type: ignore[misc]
        people.eraser(turn).second_look(user_id, lambda: 29.0)

        assert people.world.connections.get(user_id) is not None, seen[step - 1 :]
        assert people.deps().states.get(user_id) is not None


def test_the_table_opens_no_login(people: People) -> None:
    """Who reads it finds a hash, and not the state."""
    state = _started(people, "ada")
    (item,) = people.world.table.client.scan(TableName=people.world.table.name)["Items"]

    assert state not in str(item)


def _erased_and_back(people: People, user_id: str) -> tuple[str, str]:
    people.connect(user_id)
    people.eraser().erase(user_id, lambda: 29.0)
    people.clock.advance(60)
    return user_id, _started(people, user_id)


def _without_a_login(people: People, user_id: str) -> None:
    people.connect(user_id)
    people.world.table.delete(user_id, "connection")


def _started(people: People, user_id: str) -> str:
    return state_of(people.deps(), user_id)


def _steps_of_a_login(people: People) -> int:
    seen: list[str] = []
    back(people.deps(seen.append), _started(people, "counted"))
    return len(seen)


def _at(nth: int, deed: Callable[[], object]) -> Callable[[str], None]:
    steps: list[str] = []

    def turn(step: str) -> None:
        steps.append(step)
        if len(steps) == nth:
            deed()

    return turn
