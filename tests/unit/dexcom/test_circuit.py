from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.dexcom.circuit import Circuit, CircuitRules
from tests.fakes import NOON

RULES = CircuitRules(
    failures_max=3,
    failures_kept=timedelta(minutes=2),
    recovery=timedelta(seconds=30),
    probe_max=timedelta(seconds=60),
)
SECOND = timedelta(seconds=1)


@given(st.lists(st.booleans(), max_size=20))
def test_it_opens_exactly_after_a_run_of_failures(outcomes: list[bool]) -> None:
    """As long as calls are admitted, it is open if and only if the last three have failed."""
    circuit = Circuit()
    made: list[bool] = []
    for answered in outcomes:
        if circuit.refused_until(NOON, RULES):
            break
        made.append(answered)
        circuit = circuit.after_success(None) if answered else circuit.after_failure(None, NOON, RULES)

    assert (circuit.opened_at is not None) == (made[-3:] == [False] * 3)


Move = st.tuples(st.sampled_from(["ask", "succeed", "fail"]), st.integers(0, 3), st.integers(0, 40))


@given(st.lists(Move, max_size=60))
def test_whatever_happens_one_at_a_time_probes(moves: list[tuple[str, int, int]]) -> None:
    """
    Four callers in any order: nobody is admitted before the recovery time is over, and never two probers.

    Once the host answers again, one recovery time and one probe are enough to let everybody in.
    """
    circuit, now = Circuit(), NOON
    for move, caller, elapsed_s in moves:
        now += elapsed_s * SECOND
        name = f"caller {caller}"
        before = circuit
        match move:
            case "ask":
                circuit = circuit.with_prober(name, now, RULES)
            case "succeed":
                circuit = circuit.after_success(name)
            case "fail":
                circuit = circuit.after_failure(name, now, RULES)
        elected = move == "ask" and circuit != before
        if elected:
            assert before.opened_at is not None
            assert now >= before.opened_at + RULES.recovery
            assert before.probe_until is None or now >= before.probe_until

    now += max(RULES.recovery, RULES.probe_max)
    assert circuit.with_prober("last", now, RULES).after_success("last").opened_at is None
