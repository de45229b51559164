from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.circuit import Circuit, CircuitRules
from tests.support.fakes import NOON

RULES = CircuitRules(
    failures_max=3,
    failures_kept=timedelta(minutes=2),
    recovery=timedelta(seconds=30),
    probe_max=timedelta(seconds=60),
    suspect_recovery=timedelta(seconds=50),
)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def opened() -> Circuit:
    """A circuit that opened at noon, by calls for no account."""
    circuit = Circuit()
    for _ in range(RULES.failures_max):
        circuit = circuit.after_failure(None, None, NOON, RULES)
    return circuit


def test_default_rules() -> None:
    """The defaults are the numbers that docs/dexcom-client.md and the comments state."""
    assert CircuitRules() == CircuitRules(5, 2 * MINUTE, 30 * SECOND, 60 * SECOND, 60 * SECOND)
    assert Circuit() == Circuit(
        failures=0,
        failed_at=None,
        opened_at=None,
        prober=None,
        probe_until=None,
        suspect=None,
        suspect_only=False,
    )


def test_failure_after_two_minutes_starts_a_new_run() -> None:
    """Failures that are two minutes apart are not counted together."""
    twice = Circuit().after_failure(None, None, NOON, RULES).after_failure(None, None, NOON, RULES)

    assert twice.after_failure(None, None, NOON + 2 * MINUTE, RULES).opened_at is None
    assert twice.after_failure(None, None, NOON + 2 * MINUTE - SECOND, RULES).opened_at is not None
    assert twice.after_failure(None, None, NOON + 2 * MINUTE, RULES).failures == 1


def test_late_outcomes_change_nothing() -> None:
    """The outcome of a call sent before the opening, or of a replaced probe, does not change the circuit."""
    circuit = opened()
    probed = circuit.with_prober("one", None, NOON + MINUTE, RULES)

    for prober in (None, "another"):
        for state in (circuit, probed):
            assert state.after_success(prober, None) == state
            assert state.after_failure(prober, None, NOON + MINUTE, RULES) == state
    assert probed.after_success("one", None) == Circuit()


def test_late_probe_that_fails_opens_the_circuit_again() -> None:
    """A failed probe opens the circuit again, also if the run of failures is older than two minutes."""
    probed = opened().with_prober("one", None, NOON + 10 * MINUTE, RULES)

    assert probed.after_failure("one", None, NOON + 10 * MINUTE, RULES).opened_at == NOON + 10 * MINUTE


def test_clock_that_is_set_back_starts_no_second_probe() -> None:
    """Calls wait for the probe under way, also if the clock was set back to before the recovery time."""
    probed = opened().with_prober("one", None, NOON + 30 * SECOND, RULES)

    assert probed.refused_until(None, NOON + 10 * SECOND, RULES) == NOON + 90 * SECOND


@given(st.lists(st.booleans(), max_size=20))
def test_circuit_opens_exactly_after_three_failures(outcomes: list[bool]) -> None:
    """While calls are admitted, the circuit is open if and only if the last three calls failed."""
    circuit = Circuit()
    made: list[bool] = []
    for succeeded in outcomes:
        if circuit.refused_until(None, NOON, RULES):
            break
        made.append(succeeded)
        circuit = (
            circuit.after_success(None, None) if succeeded else circuit.after_failure(None, None, NOON, RULES)
        )

    assert (circuit.opened_at is not None) == (made[-3:] == [False] * 3)


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
        match move:
            case "probe":
                circuit = circuit.with_prober(name, account_key, now, RULES)
            case "succeed":
                circuit = circuit.after_success(name, account_key)
            case "fail":
                circuit = circuit.after_failure(name, account_key, now, RULES)
        if move == "probe" and circuit != before:
            assert before.opened_at is not None
            assert now >= before.opened_at + RULES.recovery
            assert before.probe_until is None or now >= before.probe_until

    now += max(RULES.suspect_recovery, RULES.probe_max)
    for account_key in ("A", "B", None):
        assert (
            circuit.with_prober("last", account_key, now, RULES).after_success("last", account_key)
            == Circuit()
        )
