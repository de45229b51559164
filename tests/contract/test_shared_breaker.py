from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.providers.http.circuit import CircuitRules, Permit
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from tests.contract.breakers import HOST, RULES, call, outage
from tests.contract.stepped import At, stepped

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fakes import FakeClock


@pytest.fixture
def process(users_table: Table, clock: FakeClock) -> Callable[[], SharedBreaker]:
    """Starts a process with a breaker of the same host."""
    return lambda: SharedBreaker(users_table, clock, HOST, RULES)


def test_first_call_is_admitted(process: Callable[[], SharedBreaker]) -> None:
    """Without an item the circuit is closed."""
    assert process().permit().allowed


def test_outage_costs_calls_min_calls(process: Callable[[], SharedBreaker]) -> None:
    """After `calls_min` failures the process makes no more calls."""
    assert outage(process()) == RULES.calls_min


def test_failures_of_all_processes_are_counted_together(process: Callable[[], SharedBreaker]) -> None:
    """Ten processes together make `calls_min` calls during an outage."""
    processes = [process() for _ in range(10)]

    assert sum(call(breaker, succeeds=False) for breaker in processes * 3) == RULES.calls_min


def test_recent_read_costs_at_most_one_call_per_process(process: Callable[[], SharedBreaker]) -> None:
    """A process that has just read the item may make one call after the circuit has opened."""
    processes = [process() for _ in range(10)]
    assert all(call(breaker, succeeds=True) for breaker in processes)

    calls = sum(call(breaker, succeeds=False) for breaker in processes * 3)

    assert RULES.calls_min <= calls <= RULES.calls_min + len(processes) - 1


def test_other_processes_see_the_opening_in_seconds(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """A process without failures of its own sees the opening within two seconds."""
    bystander = process()
    assert call(bystander, succeeds=True)
    outage(process())

    clock.advance(2)

    assert not bystander.permit().allowed


def test_refusal_has_the_time_until_recovery(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """A refused call gets the time until the probe, so that the queue can delay the job."""
    outage(process())
    clock.advance(10)

    assert process().permit() == Permit(allowed=False, wait_s=20)


def test_successes_keep_the_rate_low(process: Callable[[], SharedBreaker]) -> None:
    """If each failure is followed by three successes, then no call is refused."""
    breaker = process()
    for _ in range(10):
        assert call(breaker, succeeds=False)
        assert all(call(breaker, succeeds=True) for _ in range(3))


def test_old_failures_are_not_counted(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """The failures of a process that has ended are not counted after two minutes."""
    for _ in range(10):
        doomed = process()
        assert call(doomed, succeeds=False)
        assert call(doomed, succeeds=False)
        clock.advance(RULES.failures_kept.total_seconds())


def test_each_host_has_its_own_circuit(users_table: Table, clock: FakeClock) -> None:
    """An outage of one host does not refuse calls to another host."""
    outage(SharedBreaker(users_table, clock, "api.other.test", RULES))

    assert SharedBreaker(users_table, clock, HOST, RULES).permit().allowed


def test_one_process_probes_after_recovery(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """One call of one process becomes the probe; all others are refused until its outcome."""
    processes = [process() for _ in range(5)]
    outage(processes[0])
    clock.advance(RULES.recovery.total_seconds())

    admitted = [permit for breaker in processes * 2 if (permit := breaker.permit()).allowed]

    assert len(admitted) == 1
    assert admitted[0].prober


def test_concurrent_probes_become_one(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """If another process starts its probe between the read and the write, then this call is refused."""
    outage(process())
    clock.advance(RULES.recovery.total_seconds())
    other: list[Permit] = []
    between = At("before put_item", lambda: other.append(process().permit()))
    late = SharedBreaker(Table(stepped(users_table.client, between), users_table.name), clock, HOST, RULES)

    assert not late.permit().allowed
    assert other[0].allowed


def test_successful_probe_admits_all_processes(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """After a successful probe every process makes calls again within two seconds."""
    others = [process() for _ in range(3)]
    assert outage(others[0])
    clock.advance(RULES.recovery.total_seconds())

    assert call(process(), succeeds=True)
    clock.advance(2)

    assert all(call(breaker, succeeds=True) for breaker in others)


def test_failed_probe_restarts_the_recovery_time(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """An outage of ten minutes costs one call per recovery time."""
    breaker = process()
    calls = outage(breaker)
    for _ in range(600):
        clock.advance(1)
        calls += call(breaker, succeeds=False)

    assert calls == RULES.calls_min + 600 / RULES.recovery.total_seconds()


def test_probe_max_is_longer_than_an_attempt() -> None:
    """A probe is replaced only after its attempt has timed out."""
    assert Policy().timeouts.attempt_s_max < CircuitRules().probe_max.total_seconds()


def test_crashed_probe_is_replaced(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """If the process of a probe crashes, another call becomes the probe after `probe_max`."""
    outage(process())
    clock.advance(RULES.recovery.total_seconds())
    assert process().permit().allowed

    clock.advance(RULES.probe_max.total_seconds() - 1)
    assert not process().permit().allowed

    clock.advance(1)
    assert process().permit().allowed


def test_late_outcomes_do_not_change_an_open_circuit(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """The outcome of a call sent before the opening does not close the circuit or keep it open longer."""
    breaker = process()
    slow_success, slow_failure = breaker.permit(), breaker.permit()
    outage(breaker)
    clock.advance(RULES.recovery.total_seconds() - 1)

    breaker.succeeded(slow_success)
    breaker.failed(slow_failure)
    breaker.share()

    assert not breaker.permit().allowed
    clock.advance(1)
    assert breaker.permit().allowed


def test_outcome_of_a_replaced_probe_is_ignored(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """Only the outcome of the probe that replaced it changes the circuit."""
    breaker = process()
    outage(breaker)
    clock.advance(RULES.recovery.total_seconds())
    slow = breaker.permit()
    clock.advance(RULES.probe_max.total_seconds())
    second = breaker.permit()

    breaker.succeeded(slow)
    breaker.share()
    assert not process().permit().allowed

    breaker.succeeded(second)
    breaker.share()
    assert process().permit().allowed


def test_successes_write_nothing(users_table: Table, clock: FakeClock) -> None:
    """A thousand successful calls in 100 seconds cost one read per two seconds and no write."""
    requests = At("never", lambda: None)
    breaker = SharedBreaker(
        Table(stepped(users_table.client, requests), users_table.name), clock, HOST, RULES
    )

    for _ in range(1_000):
        call(breaker, succeeds=True)
        clock.advance(0.1)

    assert set(requests.steps) == {"before get_item", "after get_item"}
    assert requests.steps.count("before get_item") <= 51


def test_refusals_make_no_requests(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """Many jobs that find the circuit open cause one read of the table."""
    outage(process())
    requests = At("never", lambda: None)
    breaker = SharedBreaker(
        Table(stepped(users_table.client, requests), users_table.name), clock, HOST, RULES
    )

    assert not any(breaker.permit(account_key).allowed for _ in range(500) for account_key in ("A", None))
    assert requests.steps == ["before get_item", "after get_item"]


def test_deleted_item_closes_the_circuit(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """If an operator deletes the item, the circuit closes and counting restarts."""
    breaker = process()
    outage(breaker)
    users_table.delete("app#breaker", HOST)
    clock.advance(2)

    assert outage(breaker) == RULES.calls_min


ACCOUNTS = [f"account-{number}" for number in range(CircuitRules().own_accounts)]


def _fails(breaker: SharedBreaker, accounts: list[str], calls: int) -> int:
    """Fail so many calls in turn; return how many were made."""
    return sum(call(breaker, accounts[number % len(accounts)], succeeds=False) for number in range(calls))


def test_a_process_judges_its_own_outage_at_once(users_table: Table, clock: FakeClock) -> None:
    """Ten failures in a row for several accounts open the circuit, without the time for other reports."""
    breaker, other = SharedBreaker(users_table, clock, HOST), SharedBreaker(users_table, clock, HOST)

    assert _fails(breaker, ACCOUNTS, 20) == CircuitRules().own_failures
    assert not other.permit("account-9").allowed


def test_a_success_ends_a_run_of_failures(users_table: Table, clock: FakeClock) -> None:
    """Failures with a success between them are scattered."""
    breaker = SharedBreaker(users_table, clock, HOST)
    for _ in range(2):
        assert _fails(breaker, ACCOUNTS, CircuitRules().own_failures - 1) == CircuitRules().own_failures - 1
        for account_key in ACCOUNTS * 3:
            assert call(breaker, account_key, succeeds=True)

    assert breaker.permit("account-9").allowed


def test_three_failing_accounts_do_not_stop_a_fourth(users_table: Table, clock: FakeClock) -> None:
    """Three accounts that always fail do not stop a fourth."""
    breaker = SharedBreaker(users_table, clock, HOST)
    _fails(breaker, ACCOUNTS[:3], 15)

    assert breaker.permit("account-9").allowed
