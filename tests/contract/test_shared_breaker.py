from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.shared_breaker import Permit, SharedBreaker
from tests.contract.breakers import HOST, RULES, call, outage
from tests.contract.stepped import At, stepped

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fakes import FakeClock


@pytest.fixture
def process(users_table: Table, clock: FakeClock) -> Callable[[], SharedBreaker]:
    """Starts a process with a breaker of the same host."""
    return lambda: SharedBreaker(users_table, clock, HOST, RULES)


def test_calls_are_allowed_to_begin_with(process: Callable[[], SharedBreaker]) -> None:
    """A host nobody has called yet is trusted."""
    assert process().admit().allowed


def test_an_outage_costs_a_few_calls(process: Callable[[], SharedBreaker]) -> None:
    """After the configured number of failures nothing is sent any more."""
    assert outage(process()) == RULES.failures_max


def test_an_outage_costs_a_few_calls_of_all_processes_together(process: Callable[[], SharedBreaker]) -> None:
    """Failures are counted for the application: ten processes do not make ten times as many calls."""
    processes = [process() for _ in range(10)]

    assert sum(call(breaker, answered=False) for breaker in processes * 3) == RULES.failures_max


def test_who_had_looked_just_before_makes_one_call_more(process: Callable[[], SharedBreaker]) -> None:
    """The price of not asking the table before every call: at most one failure for each other process."""
    processes = [process() for _ in range(10)]
    assert all(call(breaker, answered=True) for breaker in processes)

    calls = sum(call(breaker, answered=False) for breaker in processes * 3)

    assert RULES.failures_max <= calls <= RULES.failures_max + len(processes) - 1


def test_everybody_sees_the_opening_within_seconds(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """Also those whose own calls did not fail."""
    bystander = process()
    assert call(bystander, answered=True)
    outage(process())

    clock.advance(2)

    assert not bystander.admit().allowed


def test_a_refusal_says_when_to_come_back(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """When the recovery time is over, so that the queue can wait for it."""
    outage(process())
    clock.advance(10)

    assert process().admit() == Permit(allowed=False, wait_s=20)


def test_one_unlucky_call_is_forgotten_by_a_success(process: Callable[[], SharedBreaker]) -> None:
    """Failures count only in a row."""
    breaker = process()
    for _ in range(10):
        assert call(breaker, answered=False)
        assert call(breaker, answered=False)
        assert call(breaker, answered=True)


def test_old_failures_are_forgotten(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """A process that fails and goes away leaves no mark for good."""
    for _ in range(10):
        doomed = process()
        assert call(doomed, answered=False)
        assert call(doomed, answered=False)
        clock.advance(RULES.failures_kept.total_seconds())


def test_hosts_fail_alone(users_table: Table, clock: FakeClock) -> None:
    """Europe keeps being called while Japan is down."""
    outage(SharedBreaker(users_table, clock, "api.dexcom.jp", RULES))

    assert SharedBreaker(users_table, clock, HOST, RULES).admit().allowed


def test_after_the_recovery_time_one_caller_probes(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """One call of one process; everybody else is refused until its outcome is known."""
    processes = [process() for _ in range(5)]
    outage(processes[0])
    clock.advance(RULES.recovery.total_seconds())

    admitted = [admission for breaker in processes * 2 if (admission := breaker.admit()).allowed]

    assert len(admitted) == 1
    assert admitted[0].prober


def test_two_who_want_to_probe_at_once_are_one(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """Another process is elected between our look and our claim."""
    outage(process())
    clock.advance(RULES.recovery.total_seconds())
    other: list[Permit] = []
    between = At("before put_item", lambda: other.append(process().admit()))
    late = SharedBreaker(Table(stepped(users_table.client, between), users_table.name), clock, HOST, RULES)

    assert not late.admit().allowed
    assert other[0].allowed


def test_a_successful_probe_lets_everybody_in(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """Recovered within the recovery time and one look."""
    others = [process() for _ in range(3)]
    assert outage(others[0])
    clock.advance(RULES.recovery.total_seconds())

    assert call(process(), answered=True)
    clock.advance(2)

    assert all(call(breaker, answered=True) for breaker in others)


def test_a_failed_probe_starts_the_recovery_time_again(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """An outage of ten minutes costs one call for each recovery time."""
    breaker = process()
    calls = outage(breaker)
    for _ in range(600):
        clock.advance(1)
        calls += call(breaker, answered=False)

    assert calls == RULES.failures_max + 600 / RULES.recovery.total_seconds()


def test_a_probe_outlives_every_answer() -> None:
    """A prober is given up only once its call has surely ended."""
    assert Policy().timeouts.attempt_s_max < CircuitRules().probe_max.total_seconds()


def test_a_prober_that_dies_is_succeeded(process: Callable[[], SharedBreaker], clock: FakeClock) -> None:
    """Its place expires; nobody has to notice the death."""
    outage(process())
    clock.advance(RULES.recovery.total_seconds())
    assert process().admit().allowed

    clock.advance(RULES.probe_max.total_seconds() - 1)
    assert not process().admit().allowed

    clock.advance(1)
    assert process().admit().allowed


def test_what_was_sent_before_the_opening_decides_nothing_after_it(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """A late success does not close the circuit, and a late failure does not hold it open longer."""
    breaker = process()
    slow_success, slow_failure = breaker.admit(), breaker.admit()
    outage(breaker)
    clock.advance(RULES.recovery.total_seconds() - 1)

    breaker.succeeded(slow_success)
    breaker.failed(slow_failure)

    assert not breaker.admit().allowed
    clock.advance(1)
    assert breaker.admit().allowed


def test_a_prober_that_was_given_up_decides_nothing(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """Its place has been taken by another, whose outcome counts."""
    breaker = process()
    outage(breaker)
    clock.advance(RULES.recovery.total_seconds())
    slow = breaker.admit()
    clock.advance(RULES.probe_max.total_seconds())
    second = breaker.admit()

    breaker.succeeded(slow)
    assert not process().admit().allowed

    breaker.succeeded(second)
    assert process().admit().allowed


def test_success_is_free_of_writes(users_table: Table, clock: FakeClock) -> None:
    """A thousand successful calls in 100 seconds: a look every two seconds, and nothing else."""
    requests = At("never", lambda: None)
    breaker = SharedBreaker(
        Table(stepped(users_table.client, requests), users_table.name), clock, HOST, RULES
    )

    for _ in range(1_000):
        call(breaker, answered=True)
        clock.advance(0.1)

    assert set(requests.steps) == {"before get_item", "after get_item"}
    assert requests.steps.count("before get_item") <= 51


def test_a_refusal_is_free_of_requests(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """A queue full of jobs that finds the circuit open does not load the table."""
    outage(process())
    requests = At("never", lambda: None)
    breaker = SharedBreaker(
        Table(stepped(users_table.client, requests), users_table.name), clock, HOST, RULES
    )

    assert not any(breaker.admit(account_key).allowed for _ in range(500) for account_key in ("A", None))
    assert requests.steps == ["before get_item", "after get_item"]


def test_a_deleted_item_is_a_closed_circuit(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """An operator may remove it; counting begins anew."""
    breaker = process()
    outage(breaker)
    users_table.delete("app#breaker", HOST)
    clock.advance(2)

    assert outage(breaker) == RULES.failures_max
