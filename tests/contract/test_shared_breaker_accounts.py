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


def test_failing_account_is_refused_in_all_processes(process: Callable[[], SharedBreaker]) -> None:
    """Only the calls of the failing account are refused, until a call for another account succeeds."""
    others = [process() for _ in range(3)]
    assert outage(process(), "A") == RULES.alone_failures
    assert not process().permit("A").allowed

    assert all(call(breaker, "B", succeeds=True) for breaker in others)

    assert process().permit("A").allowed


def test_failures_of_other_accounts_open_to_all(
    process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """`calls_min` failures of another account open the circuit to all, and the first account probes last."""
    assert outage(process(), "A") == RULES.alone_failures
    bystander = process()
    assert bystander.permit("B").allowed
    assert outage(process(), "B") == RULES.calls_min

    assert not bystander.permit("C").allowed
    clock.advance(RULES.recovery.total_seconds())
    assert not process().permit("A").allowed
    assert process().permit("C").prober


def test_item_names_the_failing_account(users_table: Table, process: Callable[[], SharedBreaker]) -> None:
    """The item has the pseudonym of the failing account until another account succeeds."""
    breaker = process()
    outage(breaker, "A")
    assert _stored(users_table) == ("A", True)

    assert call(breaker, "B", succeeds=True)
    assert _stored(users_table) == (None, False)


def test_item_without_an_account_opens_to_all(
    users_table: Table, process: Callable[[], SharedBreaker], clock: FakeClock
) -> None:
    """An item of an older version, which names no account, refuses the calls of all accounts."""
    failures = {"version": 7, "failures": 5, "failed_at": clock.now().isoformat()}
    opening = {"opened_at": clock.now().isoformat(), "prober": None, "probe_until": None}
    users_table.put({"pk": "app#breaker", "sk": HOST, **failures, **opening})

    assert [process().permit(account_key).allowed for account_key in ("A", None)] == [False, False]
    clock.advance(RULES.recovery.total_seconds())
    assert call(process(), "A", succeeds=True)
    assert process().permit("B").allowed


def _stored(users_table: Table) -> tuple[str | None, bool]:
    item = users_table.get("app#breaker", HOST)
    assert item is not None
    return item["suspect"], item["alone"]
