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
    """A circuit that opened at noon."""
    circuit = Circuit()
    for _ in range(RULES.failures_max):
        circuit = circuit.after_failure(None, None, NOON, RULES)
    return circuit


def test_the_rules_unless_told_otherwise() -> None:
    """Those that docs/dexcom-client.md and the comments name."""
    assert CircuitRules() == CircuitRules(5, 2 * MINUTE, 30 * SECOND, 60 * SECOND, 60 * SECOND)
    assert Circuit() == Circuit(failures=0)


def test_old_failures_are_forgotten() -> None:
    """Failures further apart than two minutes are no outage."""
    twice = Circuit().after_failure(None, None, NOON, RULES).after_failure(None, None, NOON, RULES)

    assert twice.after_failure(None, None, NOON + 2 * MINUTE, RULES).opened_at is None
    assert twice.after_failure(None, None, NOON + 2 * MINUTE - SECOND, RULES).opened_at is not None
    assert twice.after_failure(None, None, NOON + 2 * MINUTE, RULES).failures == 1


def test_outcomes_from_before_it_opened_change_nothing() -> None:
    """Neither the calls that come back late count, nor a prober that was given up."""
    circuit = opened()
    probed = circuit.with_prober("one", None, NOON + MINUTE, RULES)

    for prober in (None, "another"):
        for state in (circuit, probed):
            assert state.after_success(prober, None) == state
            assert state.after_failure(prober, None, NOON + MINUTE, RULES) == state
    assert probed.after_success("one", None) == Circuit()


def test_a_probe_that_fails_opens_it_again_however_late() -> None:
    """Also when the failures that opened it are forgotten."""
    probed = opened().with_prober("one", None, NOON + 10 * MINUTE, RULES)

    assert probed.after_failure("one", None, NOON + 10 * MINUTE, RULES).opened_at == NOON + 10 * MINUTE


def test_a_clock_that_is_set_back_lets_no_second_one_probe() -> None:
    """Whoever is at it is waited for, even if by this clock it is too early to try at all."""
    probed = opened().with_prober("one", None, NOON + 30 * SECOND, RULES)

    assert probed.refused_until(None, NOON + 10 * SECOND, RULES) == NOON + 90 * SECOND


@given(st.lists(st.booleans(), max_size=20))
def test_it_opens_exactly_after_a_run_of_failures(outcomes: list[bool]) -> None:
    """As long as calls are admitted, it is open if and only if the last three have failed."""
    circuit = Circuit()
    made: list[bool] = []
    for answered in outcomes:
        if circuit.refused_until(None, NOON, RULES):
            break
        made.append(answered)
        circuit = (
            circuit.after_success(None, None) if answered else circuit.after_failure(None, None, NOON, RULES)
        )

    assert (circuit.opened_at is not None) == (made[-3:] == [False] * 3)


Move = st.tuples(st.sampled_from(["ask", "succeed", "fail"]), st.integers(0, 3), st.integers(0, 40))


@given(st.lists(Move, max_size=60))
def test_whatever_happens_one_at_a_time_probes(moves: list[tuple[str, int, int]]) -> None:
    """
    Four callers for two accounts and for nobody: no probe before the recovery time is over, and never two.

    Once the host answers again, one recovery time and one probe are enough to let everybody in.
    """
    circuit, now = Circuit(), NOON
    for move, caller, elapsed_s in moves:
        now += elapsed_s * SECOND
        name, account_key = f"caller {caller}", ("A", "A", "B", None)[caller]
        before = circuit
        match move:
            case "ask":
                circuit = circuit.with_prober(name, account_key, now, RULES)
            case "succeed":
                circuit = circuit.after_success(name, account_key)
            case "fail":
                circuit = circuit.after_failure(name, account_key, now, RULES)
        elected = move == "ask" and circuit != before
        if elected:
            assert before.opened_at is not None
            assert now >= before.opened_at + RULES.recovery
            assert before.probe_until is None or now >= before.probe_until

    now += max(RULES.suspect_recovery, RULES.probe_max)
    for account_key in ("A", "B", None):
        assert (
            circuit.with_prober("last", account_key, now, RULES).after_success("last", account_key)
            == Circuit()
        )
