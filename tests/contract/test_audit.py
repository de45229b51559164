from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.access.audit import Audit, AuditEntry, AuditOutcome
from bg_ingest.dynamo import Table
from tests.support.fakes import NOON, FakeClock


@pytest.fixture
def audit(users_table: Table, clock: FakeClock) -> Audit:
    """An audit whose entries are kept for a year."""
    return Audit(users_table, clock, kept_days=365)


def _entry(audit: Audit, user_id: str = "ada", actor: str = "eve") -> AuditEntry:
    return audit.save(
        audit.new_entry(user_id, actor=actor, action="GET /x", correlation_id="c-1"), AuditOutcome.DONE
    )


def test_a_saved_entry_is_read_back_unchanged(audit: Audit) -> None:
    """The actor, the time, the action and the outcome are read back."""
    kept = _entry(audit)

    assert list(audit.newest_first("ada")) == [kept]
    assert kept.as_json() == {
        "at": "2026-04-26T12:00:00Z",
        "actor": "eve",
        "action": "GET /x",
        "outcome": "done",
        "correlation_id": "c-1",
    }


def test_entries_are_newest_first_and_continue_after_a_page(audit: Audit, clock: FakeClock) -> None:
    """A page's last entry is not shown twice, and no entry is left out."""
    kept = []
    for _ in range(5):
        kept.append(_entry(audit))
        clock.advance(0.001)
    page = list(islice(audit.newest_first("ada"), 2))
    rest = list(audit.newest_first("ada", page[-1].entry_id))

    assert page + rest == kept[::-1]


def test_an_outcome_replaces_the_attempted_state(audit: Audit) -> None:
    """One action has one entry."""
    entry = audit.save(audit.new_entry("ada", actor="eve", action="POST /x", correlation_id="c-1"))
    assert [found.outcome for found in audit.newest_first("ada")] == [AuditOutcome.ATTEMPTED]

    assert audit.complete(entry, AuditOutcome.REFUSED)
    assert [found.outcome for found in audit.newest_first("ada")] == [AuditOutcome.REFUSED]


def test_a_stored_entry_cannot_be_overwritten(audit: Audit) -> None:
    """Not by a second save, not by a second outcome, and not in a transaction."""
    entry = audit.save(audit.new_entry("ada", actor="eve", action="POST /x", correlation_id="c-1"))
    assert audit.complete(entry, AuditOutcome.DONE)
    forged = replace(entry, actor="mallory", action="GET /y")

    audit.save(forged, AuditOutcome.REFUSED)
    assert audit.complete(forged, AuditOutcome.REFUSED)
    assert not audit.table.transact([audit.addition(forged, AuditOutcome.REFUSED)])
    assert list(audit.newest_first("ada")) == [replace(entry, outcome=AuditOutcome.DONE)]


def test_an_outcome_brings_no_erased_entry_back(audit: Audit) -> None:
    """The erasure has removed the entry while its action was running."""
    entry = audit.save(audit.new_entry("ada", actor="eve", action="POST /x", correlation_id="c-1"))
    audit.table.delete("audit#ada", entry.entry_id)

    assert audit.complete(entry, AuditOutcome.DONE)
    assert list(audit.newest_first("ada")) == []


def test_entries_belong_to_one_user_and_expire_after_a_year(
    audit: Audit, users_table: Table, clock: FakeClock
) -> None:
    """A user with a similar id sees none of them, and an expired entry is hidden before TTL removes it."""
    _entry(audit)
    assert list(audit.newest_first("ad")) == list(audit.newest_first("ada2")) == []
    (item,) = users_table.client.scan(TableName=users_table.name)["Items"]
    assert int(item["expires_at"]["N"]) == (NOON + timedelta(days=365)).timestamp()

    clock.advance(timedelta(days=365).total_seconds())
    assert list(audit.newest_first("ada")) == []


@pytest.mark.moto
def test_completing_an_entry_returns_false_on_failure(audit: Audit, clock: FakeClock) -> None:
    """If the outcome cannot be written, then the entry stays "attempted"."""
    entry = _entry(audit)
    nowhere = Audit(Table(audit.table.client, "no-such-table"), clock, 365)

    assert not nowhere.complete(entry, AuditOutcome.DONE)


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_repr_of_an_entry_contains_no_user_id(user_id: str, actor: str) -> None:
    """An entry that is logged shows neither the user nor the actor."""
    entry = AuditEntry(user_id, "0" * 28, NOON, actor, "GET /x", "c-1")

    assert repr(entry) == repr(AuditEntry("", "0" * 28, NOON, "", "GET /x", "c-1"))
