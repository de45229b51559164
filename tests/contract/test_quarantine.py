from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.accounts.quarantine import (
    KEPT,
    RECORD_CHARS_MAX,
    RECORDS_MAX,
    Quarantine,
    QuarantinedRecord,
    first_of_each_reason,
)
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.providers.seam import Rejected
from tests.support.fakes import NOON, FakeClock
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table

VALUELESS = Rejected("value-missing", {"systemTime": "2026-04-26T11:55:00Z", "value": None})
TIMELESS = Rejected("system-time-missing", {"value": 187})

reasons = st.sampled_from(["value-missing", "system-time-missing", "not-a-record"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
rejections = st.lists(st.builds(Rejected, reasons, json_values), max_size=60)


@pytest.fixture
def quarantine(users_table: Table, clock: FakeClock) -> Quarantine:
    """An empty quarantine, on DynamoDB and KMS."""
    kms = kms_client()
    keys = DataKeys(kms, quick_key(kms), "test", clock, purpose=Purpose.QUARANTINE)
    return Quarantine(users_table, Sealer(keys), clock)


def _items(users_table: Table, user_id: str = "ada") -> list[dict[str, object]]:
    return list(users_table.query("pk = :pk", {":pk": user_id}))


def test_a_quarantined_record_is_read_back_with_its_reason(quarantine: Quarantine) -> None:
    """The record is as the provider sent it, with the time at which it was saved."""
    assert quarantine.save("ada", [TIMELESS]) == 1

    assert list(quarantine.newest_first("ada")) == [
        QuarantinedRecord("system-time-missing", '{"value":187}', NOON)
    ]


def test_records_are_newest_first_without_other_items(
    quarantine: Quarantine, users_table: Table, clock: FakeClock
) -> None:
    """Other items of the user are not listed as quarantined records."""
    for sk in ("connection", "quarantine", "quarantines#1", "quarry", "sync"):
        users_table.put({"pk": "ada", "sk": sk})
    quarantine.save("ada", [TIMELESS])
    clock.advance(900)
    quarantine.save("ada", [VALUELESS])

    assert [held.reason for held in quarantine.newest_first("ada")] == [VALUELESS.reason, TIMELESS.reason]


def test_a_record_is_not_readable_in_the_table(quarantine: Quarantine, users_table: Table) -> None:
    """A record is health data, so only the reason is stored as plain text."""
    quarantine.save("ada", [VALUELESS])
    (item,) = _items(users_table)

    assert "2026-04-26T11:55:00Z" not in repr(item)
    assert item["reason"] == "value-missing"


def test_a_record_belongs_to_its_user(quarantine: Quarantine, users_table: Table) -> None:
    """Another user cannot read the record, even from a copy of the item."""
    quarantine.save("ada", [TIMELESS])
    assert list(quarantine.newest_first("bob")) == []

    users_table.put(_items(users_table)[0] | {"pk": "bob"})
    assert [held.record for held in quarantine.newest_first("bob")] == [None]


def test_a_record_that_is_fetched_again_is_saved_once(quarantine: Quarantine, clock: FakeClock) -> None:
    """Polls fetch a record repeatedly; a new record in the same answer is saved."""
    quarantine.save("ada", [TIMELESS, TIMELESS])
    clock.advance(900)

    assert quarantine.save("ada", [TIMELESS]) == 0
    assert quarantine.save("ada", [VALUELESS, TIMELESS]) == 1
    assert len(list(quarantine.newest_first("ada"))) == 2


def test_one_sync_quarantines_a_limited_number(quarantine: Quarantine, users_table: Table) -> None:
    """If every record is invalid, then a sync saves as many as the limit."""
    spoilt = [Rejected("value-missing", {"recordId": number}) for number in range(300)]

    assert quarantine.save("ada", spoilt) == RECORDS_MAX
    assert quarantine.save("ada", spoilt) == 0
    assert len(_items(users_table)) == RECORDS_MAX


def test_a_sync_without_rejections_makes_no_request(clock: FakeClock) -> None:
    """Neither DynamoDB nor KMS is called."""
    nothing: object = None

    assert Quarantine(nothing, nothing, clock).save("ada", []) == 0  # type: ignore[arg-type]  # That is the claim.


def test_a_quarantined_record_expires_after_thirty_days(
    quarantine: Quarantine, users_table: Table, clock: FakeClock
) -> None:
    """The item has an expiry for DynamoDB, and is not shown after it."""
    quarantine.save("ada", [TIMELESS])
    assert _items(users_table)[0]["expires_at"] == (NOON + timedelta(days=30)).timestamp()

    clock.advance(KEPT.total_seconds() - 1)
    assert len(list(quarantine.newest_first("ada"))) == 1
    clock.advance(1)
    assert list(quarantine.newest_first("ada")) == []


def test_the_repr_of_a_quarantined_record_has_no_value(quarantine: Quarantine) -> None:
    """A log of the result shows no content of the record."""
    quarantine.save("ada", [TIMELESS])

    assert "187" not in repr(list(quarantine.newest_first("ada")))


def test_a_frequent_reason_does_not_hide_a_rare_one() -> None:
    """The only record without a time is chosen, after three hundred without a value."""
    chosen = first_of_each_reason([VALUELESS] * 300 + [TIMELESS])

    assert ("system-time-missing", '{"value":187}') in chosen


@given(rejections)
def test_every_reason_is_chosen_equally(rejected: list[Rejected]) -> None:
    """A reason has two records more than another only if the other one has no more."""
    chosen = first_of_each_reason(rejected)
    shown = Counter(reason for reason, _ in chosen)
    there = Counter(unreadable.reason for unreadable in rejected)

    assert len(chosen) == min(len(rejected), RECORDS_MAX)
    assert shown.keys() == there.keys()
    assert all(shown[one] == there[one] or shown[one] >= max(shown.values()) - 1 for one in shown)


@given(json_values)
def test_any_json_record_can_be_stored(record: object) -> None:
    """The text is within the limit and can be encoded."""
    ((_, text),) = first_of_each_reason([Rejected("not-a-record", record)])

    assert 0 < len(text) <= RECORD_CHARS_MAX
    assert text.isascii()


def test_a_long_record_is_cut() -> None:
    """The beginning is stored, up to the limit."""
    ((_, text),) = first_of_each_reason([Rejected("not-a-record", "x" * 10_000)])

    assert text == '"' + "x" * (RECORD_CHARS_MAX - 1)


@pytest.mark.parametrize("kind", ["endless nesting", "endless number"])
def test_a_record_that_cannot_be_json_does_not_stop_a_sync(kind: str) -> None:
    """A fixed text is stored in its place."""
    record: object = 10**5_000
    if kind == "endless nesting":
        for _ in range(100_000):
            record = [record]

    assert first_of_each_reason([Rejected("not-a-record", record)]) == [
        ("not-a-record", '"cannot be written as JSON"')
    ]
