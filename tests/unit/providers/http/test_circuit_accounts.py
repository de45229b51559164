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
ACCOUNTS = ("A", "B", "C", None)


def after_failures(*accounts: str | None) -> Circuit:
    """A circuit after failed calls for these accounts, all at noon."""
    circuit = Circuit()
    for account_key in accounts:
        circuit = circuit.after_failure(None, account_key, NOON, RULES)
    return circuit


def open_to(circuit: Circuit) -> set[str | None]:
    """The accounts whose calls are refused."""
    return {account_key for account_key in ACCOUNTS if circuit.opened_to(account_key)}


def test_failures_of_one_account_open_to_it_only() -> None:
    """A run of failures for one account opens the circuit to that account, for the recovery time."""
    assert open_to(after_failures("A", "A")) == set()
    circuit = after_failures("A", "A", "A")

    assert open_to(circuit) == {"A"}
    assert circuit.refused_until("A", NOON, RULES) == NOON + RULES.recovery
    assert [circuit.refused_until(account_key, NOON, RULES) for account_key in ("B", None)] == [None, None]


@given(st.lists(st.sampled_from(ACCOUNTS), min_size=3, max_size=3))
def test_failures_of_several_accounts_open_to_all(run: list[str | None]) -> None:
    """A run for two accounts, or with a call for no account, opens the circuit to all accounts."""
    one_account = len(set(run)) == 1 and run[0] is not None

    assert open_to(after_failures(*run)) == ({run[0]} if one_account else set(ACCOUNTS))
    assert open_to(after_failures(*run[:2])) == set()


def test_other_account_decides_while_open_to_one() -> None:
    """While open to A only, a success of B closes the circuit, and a failure of B opens it to all."""
    one = after_failures("A", "A", "A")

    assert one.after_success(None, "B") == Circuit()
    assert open_to(one.after_failure(None, "B", NOON, RULES)) == set(ACCOUNTS)
    assert one.after_success(None, "A") == one
    assert one.after_failure(None, "A", NOON, RULES) == one
    assert one.with_prober("one", "B", NOON + MINUTE, RULES) == one


def test_refused_account_probes_for_itself() -> None:
    """While open to A only, a failed probe of A keeps the circuit open to A and to no other account."""
    probed = after_failures("A", "A", "A").with_prober("one", "A", NOON + 30 * SECOND, RULES)
    again = probed.after_failure("one", "A", NOON + 30 * SECOND, RULES)

    assert probed.after_success("one", "A") == Circuit()
    assert open_to(again) == {"A"}
    assert again.refused_until("A", NOON + 30 * SECOND, RULES) == NOON + MINUTE
    assert open_to(again.after_failure(None, "B", NOON + MINUTE, RULES)) == set(ACCOUNTS)


def test_late_failure_of_another_keeps_one_account_refused() -> None:
    """While open to A only, a failure of B after two minutes starts a new run, and A stays refused."""
    late = NOON + 2 * MINUTE
    circuit = after_failures("A", "A", "A").after_failure(None, "B", late, RULES)

    assert (circuit.failures, circuit.opened_at) == (1, NOON)
    assert open_to(circuit) == {"A"}

    again = circuit.after_failure(None, "C", late, RULES)
    assert open_to(again) == {"A"}
    assert open_to(again.after_failure(None, None, late, RULES)) == set(ACCOUNTS)


def test_failed_probe_and_failure_of_another_are_a_run_of_two() -> None:
    """A failed probe of A and a failure of B are a run of two: A stays refused, B stays admitted."""
    late = NOON + 2 * MINUTE
    probed = after_failures("A", "A", "A").with_prober("one", "A", late, RULES)
    circuit = probed.after_failure("one", "A", late, RULES).after_failure(None, "B", late, RULES)

    assert (circuit.failures, circuit.opened_at) == (2, late)
    assert open_to(circuit) == {"A"}


def test_failure_of_another_does_not_replace_the_probe() -> None:
    """While A probes, a late failure of B does not end the probe, whose success closes the circuit."""
    late = NOON + 2 * MINUTE
    probed = after_failures("A", "A", "A").with_prober("one", "A", late, RULES)
    circuit = probed.after_failure(None, "B", late, RULES)

    assert circuit.with_prober("two", "A", late, RULES) == circuit
    assert circuit.after_success("one", "A") == Circuit()


def test_suspect_probes_last() -> None:
    """While open to all, the first account that failed, or that probed last, waits longer than the others."""
    circuit = after_failures("A", "B", "B")
    assert circuit.refused_until("A", NOON, RULES) == NOON + 50 * SECOND
    assert circuit.refused_until("B", NOON, RULES) == NOON + 30 * SECOND
    assert circuit.refused_until(None, NOON, RULES) == NOON + 30 * SECOND

    for first in ("A", "B", None):
        probed = circuit.with_prober("one", first, NOON + MINUTE, RULES)
        again = probed.after_failure("one", first, NOON + MINUTE, RULES)
        due_s = {
            account_key: again.refused_until(account_key, NOON + MINUTE, RULES)
            for account_key in ("A", "B", None)
        }
        assert due_s == {
            account_key: NOON + MINUTE + (50 if account_key == first and first else 30) * SECOND
            for account_key in due_s
        }


MOVES = st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from([0, 1, 20, 40, 130])), max_size=60)


@given(MOVES)
def test_account_that_always_fails_stops_no_other(moves: list[tuple[str | None, int]]) -> None:
    """If all calls for A fail and all others succeed, then every call for another account is admitted."""
    circuit, now = Circuit(), NOON
    for account_key, elapsed_s in moves:
        now += elapsed_s * SECOND
        if account_key != "A":
            assert circuit.opened_to(account_key) is None
            circuit = circuit.after_success(None, account_key)
            continue
        circuit = circuit.with_prober("one", account_key, now, RULES)
        circuit = circuit.after_failure("one" if circuit.prober else None, account_key, now, RULES)


@given(MOVES)
def test_failures_never_admit_an_account_again(moves: list[tuple[str | None, int]]) -> None:
    """While every call fails, an account whose calls were refused stays refused, apart from probes."""
    circuit, now = Circuit(), NOON
    for number, (account_key, elapsed_s) in enumerate(moves):
        now += elapsed_s * SECOND
        refused = open_to(circuit)
        circuit = circuit.with_prober(f"call {number}", account_key, now, RULES)
        circuit = circuit.after_failure(circuit.prober, account_key, now, RULES)

        assert refused <= open_to(circuit)


@given(MOVES)
def test_outage_costs_one_call_more_at_most(moves: list[tuple[str | None, int]]) -> None:
    """
    While every call fails, at most `failures_max` + 1 calls and one call per recovery time are made.

    The one call more is the first failure of another account after the circuit opened to one account.
    """
    circuit, now, calls = Circuit(), NOON, 0
    for account_key, elapsed_s in moves:
        now += elapsed_s * SECOND
        name = f"call {calls}"
        circuit = circuit.with_prober(name, account_key, now, RULES)
        probes = circuit.prober == name
        if probes or circuit.opened_to(account_key) is None:
            calls += 1
            circuit = circuit.after_failure(name if probes else None, account_key, now, RULES)

    assert calls <= RULES.failures_max + 1 + (now - NOON) / RULES.recovery
