from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.circuit import Circuit, CircuitRules, Tally
from tests.support.fakes import NOON

RULES = CircuitRules(
    calls_min=4,
    settle=timedelta(0),
    half_calls=10,
    half=timedelta(minutes=1),
    alone_failures=3,
    recovery=timedelta(seconds=30),
    probe_max=timedelta(seconds=60),
    suspect_recovery=timedelta(seconds=50),
)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def counted(circuit: Circuit, calls: int, failures: int, now_s: float = 0.0) -> Circuit:
    """The circuit after calls for no account."""
    return circuit.after_calls(None, Tally(calls, failures), NOON + now_s * SECOND, RULES)


def opened() -> Circuit:
    """A circuit that opened at noon, by calls for no account."""
    return counted(Circuit(), 4, 4)


def test_default_rules() -> None:
    """The defaults are the numbers that docs/dexcom-client.md and the comments state."""
    assert CircuitRules() == CircuitRules(
        0.5, 20, 100, MINUTE, 4 * SECOND, 10, 4, 5, 2 * MINUTE, 30 * SECOND, 60 * SECOND, 60 * SECOND
    )


def test_opens_at_the_rate_with_the_minimum_volume() -> None:
    """Half of at least four calls must have failed; three failures alone are too few."""
    assert counted(Circuit(), 3, 3).opened_at is None
    assert counted(Circuit(), 4, 1).opened_at is None
    assert counted(Circuit(), 4, 2).opened_at == NOON
    assert counted(counted(Circuit(), 3, 3), 4, 0).opened_at is None


def test_rate_is_judged_after_it_settled() -> None:
    """The circuit stays closed until the processes without failures had time to report their successes."""
    rules = CircuitRules(calls_min=4)
    circuit = Circuit().after_calls(None, Tally(20, 20), NOON, rules)

    assert circuit.after_calls(None, Tally(1, 1), NOON + 3 * SECOND, rules).opened_at is None
    assert circuit.after_calls(None, Tally(1, 1), NOON + 4 * SECOND, rules).opened_at
    assert circuit.after_calls(None, Tally(30), NOON + 4 * SECOND, rules).opened_at is None


def test_old_calls_leave_the_window() -> None:
    """Calls count for one to two halves of the window, by time or by volume."""
    old = counted(Circuit(), 3, 3)
    assert counted(old, 1, 1, 59).opened_at
    assert counted(old, 1, 1, 119).opened_at
    assert counted(old, 1, 1, 120).opened_at is None

    healthy = counted(counted(Circuit(), 10, 0), 10, 0, 1)
    assert (healthy.calls_before, healthy.calls) == (10, 10)
    assert counted(healthy, 10, 10, 2).opened_at
    assert counted(healthy, 10, 9, 2).opened_at is None


@given(st.lists(st.booleans(), max_size=30))
def test_closed_circuit_is_below_the_rate(outcomes: list[bool]) -> None:
    """While the circuit is closed, its window has too few calls, or fewer failures than half of them."""
    circuit = Circuit()
    for failed in outcomes:
        circuit = circuit.after_calls(None, Tally().plus(failed=failed), NOON, RULES)
        calls, failures = circuit.calls + circuit.calls_before, circuit.failures + circuit.failures_before
        assert circuit.opened_at or calls < RULES.calls_min or failures < calls / 2
        assert calls <= 2 * RULES.half_calls
    if not any(outcomes):
        assert circuit.opened_at is None
    if all(outcomes) and len(outcomes) >= RULES.calls_min:
        assert circuit.opened_at


def test_late_outcomes_change_nothing() -> None:
    """The outcome of a call sent before the opening, or of a replaced probe, does not change the circuit."""
    circuit = opened()
    probed = circuit.with_prober("one", None, NOON + MINUTE, RULES)

    for state in (circuit, probed):
        for failed in (True, False):
            assert state.after_probe("another", None, NOON + MINUTE, failed=failed) == state
            assert counted(state, 1, int(failed), 60) == state
    assert probed.after_probe("one", None, NOON + MINUTE, failed=False) == Circuit()


def test_failed_probe_opens_the_circuit_again() -> None:
    """A failed probe opens the circuit again from now, also long after the window has ended."""
    late = NOON + 10 * MINUTE
    probed = opened().with_prober("one", None, late, RULES)

    assert probed.after_probe("one", None, late, failed=True).opened_at == late


def test_clock_that_is_set_back_starts_no_second_probe() -> None:
    """Calls wait for the probe under way, also if the clock was set back to before the recovery time."""
    probed = opened().with_prober("one", None, NOON + 30 * SECOND, RULES)

    assert probed.refused_until(None, NOON + 10 * SECOND, RULES) == NOON + 90 * SECOND


MOVES = st.lists(
    st.tuples(st.sampled_from(["probe", "succeed", "fail"]), st.integers(0, 3), st.integers(0, 200)),
    max_size=60,
)


@given(MOVES)
def test_at_most_one_probe_at_a_time(moves: list[tuple[str, int, int]]) -> None:
    """
    For any sequence of calls, no probe starts before the recovery time or beside another probe.

    Four callers call for two accounts and for no account. When the host answers again, one recovery time and
    one probe close the circuit.
    """
    circuit, now = Circuit(), NOON
    for move, caller, elapsed_s in moves:
        now += elapsed_s * SECOND
        name, account_key = f"caller {caller}", ("A", "A", "B", None)[caller]
        before = circuit
        if move == "probe":
            circuit = circuit.with_prober(name, account_key, now, RULES)
        elif before.opened_to(account_key):
            circuit = circuit.after_probe(name, account_key, now, failed=move == "fail")
        else:
            tally = Tally().plus(failed=move == "fail")
            circuit = circuit.after_calls(account_key, tally, now, RULES)
        if move == "probe" and circuit != before:
            assert before.opened_at is not None
            assert now >= before.opened_at + RULES.recovery
            assert before.probe_until is None or now >= before.probe_until

    now += max(RULES.suspect_recovery, RULES.probe_max)
    for account_key in ("A", "B", None):
        if circuit.opened_to(account_key):
            probed = circuit.with_prober("last", account_key, now, RULES)
            assert probed.after_probe("last", account_key, now, failed=False) == Circuit()
