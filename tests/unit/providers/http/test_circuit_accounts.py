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
    alone_failures=3,
    recovery=timedelta(seconds=30),
    probe_max=timedelta(seconds=60),
    suspect_recovery=timedelta(seconds=50),
)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ACCOUNTS = ("A", "B", "C", None)


def failing(circuit: Circuit, *accounts: str | None) -> Circuit:
    """The circuit after failed calls for these accounts, all at noon."""
    for account_key in accounts:
        circuit = circuit.after_calls(account_key, Tally(1, 1, 1), NOON, RULES)
    return circuit


def succeeding(circuit: Circuit, account_key: str | None) -> Circuit:
    """The circuit after a success at noon."""
    return circuit.after_calls(account_key, Tally(1), NOON, RULES)


def open_to(circuit: Circuit) -> set[str | None]:
    """The accounts whose calls are refused."""
    return {account_key for account_key in ACCOUNTS if circuit.opened_to(account_key)}


def test_failures_of_one_account_open_to_it_only() -> None:
    """Three failures in a row of one account open the circuit to that account, for the recovery time."""
    assert open_to(failing(Circuit(), "A", "A")) == set()
    circuit = failing(Circuit(), "A", "A", "A")

    assert open_to(circuit) == {"A"}
    assert circuit.refused_until("A", NOON, RULES) == NOON + RULES.recovery
    assert [circuit.refused_until(account_key, NOON, RULES) for account_key in ("B", None)] == [None, None]


def test_failures_of_the_others_open_to_all() -> None:
    """The suspect's failures are not part of the rate: four failures of the others open to all."""
    assert open_to(failing(Circuit(), "A", "B", "B", "C")) == set()
    assert open_to(failing(Circuit(), "A", "B", "B", "C", None)) == set(ACCOUNTS)
    assert open_to(failing(Circuit(), "A", "A", "A", "B", "B", "B")) == {"A"}
    assert open_to(failing(Circuit(), "A", "A", "A", "B", "B", "B", "B")) == set(ACCOUNTS)


def test_success_of_another_closes_for_the_suspect() -> None:
    """While open to A only, a success of B closes the circuit, and outcomes of A change nothing."""
    one = failing(Circuit(), "A", "A", "A")

    assert open_to(succeeding(one, "B")) == set()
    assert succeeding(one, "A") == one
    assert failing(one, "A") == one
    assert one.with_prober("one", "B", NOON + MINUTE, RULES) == one


def test_success_of_the_suspect_ends_its_run() -> None:
    """Only failures of the suspect without a success between them are counted together."""
    twice = failing(Circuit(), "A", "A")

    assert open_to(failing(succeeding(twice, "A"), "A", "A")) == set()
    assert failing(succeeding(twice, "A"), "B").suspect == "B"
    assert failing(twice, "B").suspect == "A"


def test_old_failures_leave_no_suspect() -> None:
    """Two minutes after its last failure an account is no longer the suspect."""
    later = failing(Circuit(), "A", "A").after_calls("B", Tally(1, 1, 1), NOON + 2 * MINUTE, RULES)

    assert (later.suspect, later.run) == ("B", 1)


def test_refused_account_probes_for_itself() -> None:
    """While open to A only, a failed probe of A keeps the circuit open to A and to no other account."""
    half_minute = NOON + 30 * SECOND
    probed = failing(Circuit(), "A", "A", "A").with_prober("one", "A", half_minute, RULES)
    again = probed.after_probe("one", "A", half_minute, failed=True)

    assert probed.after_probe("one", "A", half_minute, failed=False) == Circuit()
    assert open_to(again) == {"A"}
    assert again.refused_until("A", half_minute, RULES) == NOON + MINUTE


def test_failure_of_another_does_not_replace_the_probe() -> None:
    """While A probes, a failure of B does not end the probe, whose success closes the circuit."""
    probed = failing(Circuit(), "A", "A", "A").with_prober("one", "A", NOON + MINUTE, RULES)
    circuit = failing(probed, "B")

    assert circuit.with_prober("two", "A", NOON + MINUTE, RULES) == circuit
    assert circuit.after_probe("one", "A", NOON + MINUTE, failed=False) == Circuit()


def test_suspect_probes_last() -> None:
    """While open to all, the suspect, or the account that probed last, waits longer than the others."""
    circuit = failing(Circuit(), "A", "B", "B", "C", "C")
    assert circuit.refused_until("A", NOON, RULES) == NOON + 50 * SECOND
    assert circuit.refused_until("B", NOON, RULES) == NOON + 30 * SECOND
    assert circuit.refused_until(None, NOON, RULES) == NOON + 30 * SECOND

    probed = circuit.with_prober("one", "B", NOON + MINUTE, RULES)
    again = probed.after_probe("one", "B", NOON + MINUTE, failed=True)
    assert again.refused_until("B", NOON + MINUTE, RULES) == NOON + MINUTE + 50 * SECOND
    assert again.refused_until("A", NOON + MINUTE, RULES) == NOON + MINUTE + 30 * SECOND


MOVES = st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from([0, 1, 20, 40, 130])), max_size=60)


@given(MOVES)
def test_account_that_always_fails_stops_no_other(moves: list[tuple[str | None, int]]) -> None:
    """If all calls for A fail and all others succeed, then every call for another account is admitted."""
    circuit, now = Circuit(), NOON
    for account_key, elapsed_s in moves:
        now += elapsed_s * SECOND
        if account_key != "A":
            assert circuit.opened_to(account_key) is None
            circuit = circuit.after_calls(account_key, Tally(1), now, RULES)
            continue
        circuit = circuit.with_prober("one", "A", now, RULES)
        if circuit.opened_to("A"):
            circuit = circuit.after_probe("one", "A", now, failed=True)
        else:
            circuit = circuit.after_calls("A", Tally(1, 1, 1), now, RULES)


@given(MOVES)
def test_outage_costs_a_bounded_number_of_calls(moves: list[tuple[str | None, int]]) -> None:
    """While every call fails without a long pause, few calls are made beside the probes."""
    circuit, now, calls = Circuit(), NOON, 0
    for account_key, elapsed_s in moves:
        now += min(elapsed_s, 1) * SECOND
        name = f"call {calls}"
        circuit = circuit.with_prober(name, account_key, now, RULES)
        if circuit.prober == name:
            calls += 1
            circuit = circuit.after_probe(name, account_key, now, failed=True)
        elif circuit.opened_to(account_key) is None:
            calls += 1
            circuit = circuit.after_calls(account_key, Tally(1, 1, 1), now, RULES)

    assert calls <= RULES.calls_min + RULES.alone_failures + 2 * (now - NOON) / RULES.recovery
