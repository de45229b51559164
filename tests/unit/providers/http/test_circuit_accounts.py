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
EVERYBODY = ("A", "B", "C", None)


def after_failures(*accounts: str | None) -> Circuit:
    """A circuit that has seen calls for these accounts fail at noon, one after the other."""
    circuit = Circuit()
    for account_key in accounts:
        circuit = circuit.after_failure(None, account_key, NOON, RULES)
    return circuit


def open_to(circuit: Circuit) -> set[str | None]:
    """For whom calls are refused."""
    return {account_key for account_key in EVERYBODY if circuit.opened_to(account_key)}


def test_who_fails_alone_is_stopped_alone() -> None:
    """After the same number of failures as everybody, and for the same time."""
    assert open_to(after_failures("A", "A")) == set()
    circuit = after_failures("A", "A", "A")

    assert open_to(circuit) == {"A"}
    assert circuit.refused_until("A", NOON, RULES) == NOON + RULES.recovery
    assert [circuit.refused_until(account_key, NOON, RULES) for account_key in ("B", None)] == [None, None]


def test_failures_of_two_are_the_hosts() -> None:
    """In whatever order they come; so are those of calls for nobody, whoever else fails."""
    for run in ("AAB", "ABA", "BAA", ("A", None, "A"), (None, "A", "A"), (None, None, None)):
        assert open_to(after_failures(*run)) == set(EVERYBODY), run
        assert open_to(after_failures(*run[:2])) == set(), run


def test_one_of_the_others_decides_what_it_is() -> None:
    """Their success ends the run, their failure makes it everybody's; neither is asked of who is stopped."""
    alone = after_failures("A", "A", "A")

    assert alone.after_success(None, "B") == Circuit()
    assert open_to(alone.after_failure(None, "B", NOON, RULES)) == set(EVERYBODY)
    assert alone.after_success(None, "A") == alone
    assert alone.after_failure(None, "A", NOON, RULES) == alone
    assert alone.with_prober("one", "B", NOON + MINUTE, RULES) == alone


def test_who_is_stopped_alone_probes_alone() -> None:
    """A vain probe keeps it open to that account, and to no other."""
    probed = after_failures("A", "A", "A").with_prober("one", "A", NOON + 30 * SECOND, RULES)
    again = probed.after_failure("one", "A", NOON + 30 * SECOND, RULES)

    assert probed.after_success("one", "A") == Circuit()
    assert open_to(again) == {"A"}
    assert again.refused_until("A", NOON + 30 * SECOND, RULES) == NOON + MINUTE
    assert open_to(again.after_failure(None, "B", NOON + MINUTE, RULES)) == set(EVERYBODY)


def test_what_is_forgotten_is_not_held_against_others() -> None:
    """Of an account that failed alone, only what it failed in the last minutes counts for everybody."""
    alone = after_failures("A", "A", "A")
    late = NOON + 2 * MINUTE
    probed = alone.with_prober("one", "A", late, RULES).after_failure("one", "A", late, RULES)

    assert alone.after_failure(None, "B", late, RULES) == Circuit(1, late, suspect="B", alone=True)
    assert probed.after_failure(None, "B", late, RULES) == Circuit(2, late, suspect="A")


def test_in_doubt_the_others_probe() -> None:
    """Who failed first, and then who probed in vain, has to let the others go first, but not for ever."""
    everybodys = after_failures("A", "B", "B")
    assert everybodys.refused_until("A", NOON, RULES) == NOON + 50 * SECOND
    assert everybodys.refused_until("B", NOON, RULES) == NOON + 30 * SECOND
    assert everybodys.refused_until(None, NOON, RULES) == NOON + 30 * SECOND

    for first in ("A", "B", None):
        probed = everybodys.with_prober("one", first, NOON + MINUTE, RULES)
        again = probed.after_failure("one", first, NOON + MINUTE, RULES)
        due_s = {
            account_key: again.refused_until(account_key, NOON + MINUTE, RULES)
            for account_key in ("A", "B", None)
        }
        assert due_s == {
            account_key: NOON + MINUTE + (50 if account_key == first and first else 30) * SECOND
            for account_key in due_s
        }


Moves = st.lists(st.tuples(st.sampled_from(EVERYBODY), st.integers(0, 40)), max_size=60)


@given(Moves)
def test_one_account_that_always_fails_stops_nobody_else(moves: list[tuple[str | None, int]]) -> None:
    """Whatever comes between, and however long it goes on, all calls for the others are let through."""
    circuit, now = Circuit(), NOON
    for account_key, elapsed_s in moves:
        now += elapsed_s * SECOND
        if account_key != "A":
            assert circuit.opened_to(account_key) is None
            circuit = circuit.after_success(None, account_key)
            continue
        circuit = circuit.with_prober("one", account_key, now, RULES)
        circuit = circuit.after_failure("one" if circuit.prober else None, account_key, now, RULES)


@given(Moves)
def test_an_outage_costs_one_call_more_at_most(moves: list[tuple[str | None, int]]) -> None:
    """
    Whoever calls while nobody is answered: the run that it takes, and one call for each recovery time.

    The one call more is that of the first to fail after an account that was stopped alone.
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


@given(st.lists(st.sampled_from(EVERYBODY), min_size=3, max_size=3).filter(lambda run: len(set(run)) > 1))
def test_an_outage_of_several_costs_no_more_than_it_did(run: list[str | None]) -> None:
    """Where the first failures are not all one account's, it opens to everybody with the last of them."""
    assert open_to(after_failures(*run)) == set(EVERYBODY)
