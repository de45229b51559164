from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.http.shared_breaker import SharedBreaker
from tests.contract.breakers import HOST, RULES, call, outage

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock


@pytest.fixture
def process(users_table: Table, clock: FakeClock) -> Callable[[], SharedBreaker]:
    """Starts a process with a breaker of the same host."""
    return lambda: SharedBreaker(users_table, clock, HOST, RULES)


def test_one_account_that_always_fails_stops_its_own_calls_only(process: Callable[[], SharedBreaker]) -> None:
    """In every process; the first call for another that is answered ends that, too."""
    others = [process() for _ in range(3)]
    assert outage(process(), "A") == RULES.failures_max
    assert not process().admit("A").allowed

    assert all(call(breaker, "B", answered=True) for breaker in others)

    assert process().admit("A").allowed


def test_once_another_fails_too_nobody_is_called(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """One call more than of two from the start; and the one that was stopped alone lets the others probe."""
    assert outage(process(), "A") == RULES.failures_max
    bystander = process()
    assert bystander.admit("B").allowed
    assert outage(process(), "B") == 1

    assert not bystander.admit("C").allowed
    clock.advance(RULES.recovery.total_seconds())
    assert not process().admit("A").allowed
    assert process().admit("C").prober


def test_whose_failures_they_are_is_kept_for_all_processes(
    users_table: Table, process: Callable[[], SharedBreaker]
) -> None:
    """Beside what is kept anyway, and only as long as they count."""
    breaker = process()
    assert call(breaker, "A", answered=False)
    assert _kept(users_table) == ("A", True)

    assert call(breaker, "B", answered=True)
    assert _kept(users_table) == (None, False)


def test_an_item_that_does_not_say_whose_failures_they_were_is_about_everybody(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """As those were that are stored from before accounts were told apart."""
    failures = {"version": 7, "failures": RULES.failures_max, "failed_at": clock.now().isoformat()}
    opening = {"opened_at": clock.now().isoformat(), "prober": None, "probe_until": None}
    users_table.put({"pk": "app#breaker", "sk": HOST, **failures, **opening})

    assert [process().admit(account_key).allowed for account_key in ("A", None)] == [False, False]
    clock.advance(RULES.recovery.total_seconds())
    assert call(process(), "A", answered=True)
    assert process().admit("B").allowed


def _kept(users_table: Table) -> tuple[str | None, bool]:
    item = users_table.get("app#breaker", HOST)
    assert item is not None
    return item["suspect"], item["alone"]
