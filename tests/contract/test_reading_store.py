from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.readings.cursor import Cursor, decode, encode
from bg_ingest.readings.store import ReadingStore
from bg_ingest.readings.stored.hour_items import HourUnreadable
from bg_ingest.readings.stored.writer import to_text
from tests.contract.reading_stores import (
    DAY,
    FAR_AHEAD,
    HOUR,
    LONG_AGO,
    RETENTION_DAYS,
    everything,
    instants,
    interrupted,
    items,
    series,
    size_bytes,
)
from tests.contract.stepped import At, crash
from tests.support.fakes import NOON, FakeClock
from tests.unit.readings.made_up import MINUTE, SECOND, measured, realistic

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def reading_store(readings_table: Table, clock: FakeClock) -> ReadingStore:
    """A store on DynamoDB that keeps readings for a month."""
    return ReadingStore(readings_table, clock, RETENTION_DAYS)


def test_saved_readings_are_read(reading_store: ReadingStore) -> None:
    """Readings of several hours come back complete and in the order of their instants."""
    records = realistic(NOON - HOUR * 5, 3)
    report = reading_store.save("ada", reversed(records), NOON)

    assert [stored.reading for stored in everything(reading_store)] == records
    assert (report.stored, report.revised, report.duplicates, report.hours_written) == (len(records), 0, 0, 3)


def test_an_item_holds_one_hour(reading_store: ReadingStore) -> None:
    """The item of an hour has its expiry and a readable text."""
    (record,) = series(NOON + MINUTE * 7, 1)
    reading_store.save("ada", [record], NOON)

    (item,) = items(reading_store)
    text = item.pop("readings")
    removed_at = NOON + HOUR + DAY * RETENTION_DAYS
    assert item == {
        "pk": "ada",
        "sk": "2026-04-26T12",
        "version": 1,
        "writes": "0",
        "expires_at": int(removed_at.timestamp()),
    }
    assert text == to_text(NOON, everything(reading_store))


def test_saving_again_writes_nothing(reading_store: ReadingStore) -> None:
    """Saving stored readings again costs one query and no write."""
    reading_store.save("ada", series(NOON - DAY, 300), NOON)
    calls = At("never", crash)

    report = interrupted(reading_store, calls).save("ada", series(NOON - DAY, 300), NOON + MINUTE)

    assert (report.stored, report.revised, report.duplicates, report.hours_written) == (0, 0, 300, 0)
    assert calls.steps == ["before query", "after query"]


def test_only_changed_hours_are_written(reading_store: ReadingStore) -> None:
    """A poll that fetches a day again writes only the hour with a new reading."""
    reading_store.save("ada", series(NOON - DAY, 280), NOON)
    report = reading_store.save("ada", series(NOON - DAY, 281), NOON + MINUTE)

    assert (report.stored, report.duplicates, report.hours_written) == (1, 280, 1)


def test_a_revision_is_saved(reading_store: ReadingStore, clock: FakeClock) -> None:
    """The newest version is served, and the earlier one keeps its times."""
    reading_store.save("ada", series(NOON, 1, mg_dl=110), NOON)
    clock.advance(900)
    report = reading_store.save("ada", series(NOON, 1, mg_dl=115), clock.now())

    (stored,) = everything(reading_store)
    assert (stored.reading.mg_dl, stored.revision, stored.stored_at) == (115, 1, clock.now())
    assert [(was.reading.mg_dl, was.stored_at) for was in stored.earlier] == [(110, NOON)]
    assert (report.stored, report.revised, report.duplicates) == (0, 1, 0)


def test_readings_far_apart_are_saved_with_two_queries(reading_store: ReadingStore) -> None:
    """The hours between two readings weeks apart are not read."""
    noon_and_a_bit = NOON + MINUTE * 20
    calls = At("never", crash)
    interrupted(reading_store, calls).save(
        "ada", [measured(noon_and_a_bit - DAY * 20), measured(noon_and_a_bit)], NOON
    )

    assert calls.steps.count("before query") == 2


@pytest.mark.parametrize("descending", [False, True])
def test_a_range_is_read_in_either_order(reading_store: ReadingStore, *, descending: bool) -> None:
    """A range includes its start and not its end, and has at most as many readings as the limit."""
    reading_store.save("ada", series(NOON, 40), NOON)
    start, end = NOON + MINUTE * 35, NOON + MINUTE * 125
    wanted = [NOON + MINUTE * 5 * n for n in range(7, 25)]
    if descending:
        wanted.reverse()

    for limit in (None, 40, 18, 17, 12, 5, 0):
        asked = reading_store.between("ada", start, end, descending=descending, limit=limit)
        assert instants(list(asked)) == wanted[:limit]
        hours = reading_store.columns("ada", start, end, descending=descending, limit=limit)
        assert [instant for hour in hours for instant in hour.instants] == wanted[:limit]


def test_an_empty_range_has_no_readings(reading_store: ReadingStore) -> None:
    """A range that is empty, reversed or without readings returns no reading."""
    reading_store.save("ada", series(NOON, 12), NOON)

    for start, end in ((NOON, NOON), (FAR_AHEAD, LONG_AGO), (NOON - HOUR, NOON), (NOON + HOUR, FAR_AHEAD)):
        assert not list(reading_store.between("ada", start, end))
        assert not list(reading_store.columns("ada", start, end))


def test_a_limit_reads_one_small_page(reading_store: ReadingStore) -> None:
    """The first page of a long range needs a single query."""
    reading_store.save("ada", series(NOON - DAY * 3, 36 * 24), NOON)
    calls = At("never", crash)
    store = interrupted(reading_store, calls)

    assert len(list(store.between("ada", NOON - DAY * 3, NOON, limit=288))) == 288
    assert calls.steps == ["before query", "after query"]
    assert len(list(store.between("ada", NOON - DAY * 3, NOON, limit=864))) == 864
    calls.steps.clear()
    assert sum(map(len, store.columns("ada", NOON - DAY * 3, NOON, limit=288))) == 288
    assert calls.steps == ["before query", "after query"]


def test_sparse_readings_need_several_pages(reading_store: ReadingStore) -> None:
    """A limit makes small pages, and more of them are read until the limit is reached."""
    reading_store.save("ada", [measured(NOON + HOUR * n) for n in range(40)], NOON)
    calls = At("never", crash)

    found = interrupted(reading_store, calls).between("ada", NOON, NOON + DAY * 3, limit=24)
    assert instants(list(found)) == [NOON + HOUR * n for n in range(24)]
    assert calls.steps.count("before query") == 24 // (24 // 12 + 2)


def test_the_hour_after_the_range_is_not_read(reading_store: ReadingStore) -> None:
    """A range up to a full hour is served even if that hour is damaged."""
    reading_store.save("ada", series(NOON, 12), NOON)
    reading_store.table.put(items(reading_store)[0] | {"sk": "2026-04-26T13", "readings": "damaged"})

    assert len(list(reading_store.between("ada", NOON, NOON + HOUR))) == 12
    with pytest.raises(HourUnreadable):
        list(reading_store.between("ada", NOON, NOON + HOUR + SECOND))


def test_users_do_not_see_each_others_readings(reading_store: ReadingStore) -> None:
    """A user id that begins with another user id is a different user."""
    reading_store.save("ada", series(NOON, 3), NOON)

    assert everything(reading_store, "ad") == everything(reading_store, "adam") == []
    assert reading_store.latest("adam") is None


def test_instants_are_ordered_and_within_the_range(reading_store: ReadingStore, clock: FakeClock) -> None:
    """The instants are ordered, within the range, and without those of expired readings."""
    reading_store.save("ada", series(NOON, 20), NOON)

    whole = [NOON + MINUTE * 5 * n for n in range(20)]
    assert reading_store.instants_eventually_consistent("ada", NOON, NOON + HOUR * 2) == whole
    assert reading_store.instants_eventually_consistent("ada", whole[3], whole[9]) == whole[3:9]
    assert reading_store.instants_eventually_consistent("bob", NOON, NOON + HOUR * 2) == []
    clock.advance((DAY * RETENTION_DAYS + HOUR).total_seconds())
    assert reading_store.instants_eventually_consistent("ada", NOON, NOON + HOUR * 2) == whole[12:]


def test_only_instants_are_read_eventually_consistent(reading_store: ReadingStore) -> None:
    """Eventually consistent reads cost half, and all other reads are consistent."""
    consistent: list[bool] = []

    class Recording:
        """A client of DynamoDB that records the consistency of each query."""

        def query(self, **request: Any) -> Any:
            """Record the consistency, then query."""
            consistent.append(request["ConsistentRead"])
            return reading_store.table.client.query(**request)

    recorded = replace(
        reading_store, table=Table(cast("DynamoDBClient", Recording()), reading_store.table.name)
    )
    assert list(recorded.between("ada", NOON, NOON + HOUR)) == []
    assert list(recorded.columns("ada", NOON, NOON + HOUR)) == []
    assert list(recorded.hours("ada", NOON, NOON + HOUR)) == []
    assert recorded.latest("ada") is None
    assert consistent == [True] * 5  # `latest` also queries future readings.
    assert recorded.instants_eventually_consistent("ada", NOON, NOON + HOUR) == []
    assert consistent == [True] * 5 + [False]


def test_latest_is_the_newest_reading(reading_store: ReadingStore) -> None:
    """The newest reading is the one measured last, and not the one saved last."""
    reading_store.save("ada", series(NOON - HOUR * 2, 20), NOON)
    reading_store.save("ada", series(NOON - DAY, 20), NOON)

    newest = reading_store.latest("ada")
    assert newest is not None
    assert newest.reading.at == NOON - MINUTE * 25


def test_latest_is_not_from_the_future(reading_store: ReadingStore, clock: FakeClock) -> None:
    """A reading dated 20 hours ahead hides no real one; up to ten minutes are a device's clock."""
    now = clock.now()

    def newest_after(*ahead: timedelta) -> datetime | None:
        for each in ahead:
            reading_store.save("ada", series(now + each, 1), now)
        newest = reading_store.latest("ada")
        return newest.reading.at if newest else None

    assert newest_after(HOUR * 20) == now + HOUR * 20  # There is no other.
    assert newest_after(-MINUTE * 45) == now - MINUTE * 45
    assert newest_after(MINUTE * 10 + SECOND) == now - MINUTE * 45
    assert newest_after(MINUTE * 10) == now + MINUTE * 10


def test_latest_skips_an_empty_hour(reading_store: ReadingStore) -> None:
    """An hour can become empty when its only reading is folded into the hour before."""
    reading_store.save("ada", series(NOON, 1), NOON)
    reading_store.table.put(
        {
            "pk": "ada",
            "sk": "2026-04-26T13",
            "readings": to_text(NOON + HOUR, []),
            "version": 2,
            "expires_at": int((NOON + DAY).timestamp()),
        }
    )

    newest = reading_store.latest("ada")
    assert newest is not None
    assert newest.reading.at == NOON


def test_expired_readings_are_not_read(reading_store: ReadingStore, clock: FakeClock) -> None:
    """Expired readings are hidden at once, although DynamoDB removes their items days later."""
    reading_store.save("ada", series(NOON, 12), NOON)
    reading_store.save("ada", series(NOON + HOUR, 12), NOON)

    clock.advance((DAY * RETENTION_DAYS + HOUR).total_seconds() - 1)
    assert len(everything(reading_store)) == 24
    clock.advance(1)
    assert instants(everything(reading_store))[0] == NOON + HOUR
    clock.advance(3600)
    assert len(items(reading_store)) == 2
    assert everything(reading_store) == []
    assert reading_store.latest("ada") is None


def test_a_changed_retention_takes_the_earlier_end(reading_store: ReadingStore, clock: FakeClock) -> None:
    """A shorter retention applies to stored readings. A longer one does not extend them."""
    reading_store.save("ada", series(NOON, 12), NOON)
    clock.advance((DAY * 10).total_seconds())
    shorter, longer = replace(reading_store, retention_days=9), replace(reading_store, retention_days=90)

    assert len(everything(reading_store)) == 12
    assert everything(shorter) == []
    assert shorter.latest("ada") is None
    clock.advance((DAY * 20 + HOUR).total_seconds() - 1)
    assert len(everything(longer)) == 12
    clock.advance(1)
    assert everything(longer) == []


def test_expired_readings_are_not_saved(reading_store: ReadingStore) -> None:
    """A backfill beyond the retention writes no items that DynamoDB would remove."""
    old, new = series(NOON - DAY * (RETENTION_DAYS + 1), 5), series(NOON, 3)
    report = reading_store.save("ada", [*old, *new], NOON)

    assert (report.stored, report.duplicates, report.expired, report.hours_written) == (3, 0, 5, 1)
    assert len(items(reading_store)) == 1


@pytest.mark.parametrize("descending", [False, True])
def test_pages_neither_skip_nor_repeat_readings(reading_store: ReadingStore, *, descending: bool) -> None:
    """Each reading that was stored before is on exactly one page, in order, and no reading is on two."""
    for seed in range(4):
        chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret.
        user_id = f"ada-{seed}"
        start, end = NOON - HOUR * 6, NOON
        records = series(start, 72)
        there, late = records[1::2], records[::2]
        chance.shuffle(late)
        reading_store.save(user_id, there, NOON)
        seen: list[datetime] = []
        cursor = ""
        for _ in range(len(records)):  # Each page has at least one reading, or it is the last page.
            rest = decode(cursor).rest(start, end) if cursor else (start, end)
            limit = chance.randint(1, 7)
            hours = reading_store.columns(user_id, *rest, descending=descending, limit=limit)
            page = [instant for hour in hours for instant in hour.instants]
            if not page:
                break
            seen += page
            cursor = encode(Cursor(seen[-1], descending))
            arrived = late[: chance.randint(0, 4)]  # Before and after the cursor.
            late = late[len(arrived) :]
            reading_store.save(user_id, arrived, NOON)

        assert seen == sorted(set(seen), reverse=descending)
        assert {record.at for record in there} <= set(seen)


def test_a_day_of_polls_costs_at_most_130_write_units(reading_store: ReadingStore, clock: FakeClock) -> None:
    """Ninety-six polls with three new readings each cost at most 130 write units."""
    user_id = "7d9c1f6e-3b52-4a0e-9f0b-2f6f8a1c5d3e"
    calls = At("never", crash)
    store = interrupted(reading_store, calls)
    records = realistic(NOON, 24)
    for poll in range(96):
        clock.advance(900)
        until = NOON + MINUTE * (15 * poll + 7)
        store.save(user_id, [record for record in records if record.at <= until][-12:], clock.now())

    # DynamoDB counts one unit for each started kilobyte, and no hour is larger than one kilobyte.
    assert max(map(size_bytes, items(reading_store, user_id))) <= 1024
    assert calls.steps.count("after put_item") <= 130
