"""Hours that are too full, cannot be written or cannot be read: their neighbours are stored all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from bg_ingest.dynamo import Table
from bg_ingest.readings.saving import FAILURES_MAX, HOUR_FULL, HOUR_UNREADABLE
from bg_ingest.readings.store import ReadingStore
from bg_ingest.readings.stored.hour_items import HourUnreadable
from tests.contract.reading_stores import (
    HOUR,
    RETENTION_DAYS,
    everything,
    instants,
    items,
    series,
    size_bytes,
)
from tests.support.fakes import NOON, FakeClock
from tests.unit.readings.made_up import SECOND, measured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from bg_ingest.readings.model import Reading


@pytest.fixture
def reading_store(readings_table: Table, clock: FakeClock) -> ReadingStore:
    """A store on DynamoDB that keeps readings for a month."""
    return ReadingStore(readings_table, clock, RETENTION_DAYS)


class Refusing:
    """A client of DynamoDB that refuses to write some hours."""

    def __init__(self, client: DynamoDBClient, refused: set[str]) -> None:
        self._client = client
        self._refused = refused
        self.tries: list[str] = []

    def put_item(self, **request: Any) -> Any:
        """Refuse the hours."""
        hour = request["Item"]["sk"]["S"]
        self.tries.append(hour)
        if hour in self._refused:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "PutItem")
        return self._client.put_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def refusing(reading_store: ReadingStore, *hours: int) -> tuple[ReadingStore, Refusing]:
    """The same store, whose table refuses to write these hours of the day."""
    client = Refusing(reading_store.table.client, {f"2026-04-26T{hour}" for hour in hours})
    table = Table(cast("DynamoDBClient", client), reading_store.table.name)
    return replace(reading_store, table=table), client


def fat_hour() -> list[Reading]:
    """1,800 records of noon's hour, with texts of full length."""
    long = "\N{DROPLET}" * 100
    return [
        replace(measured(NOON + SECOND * 2 * n), trend=long, record_id=f"{n}{long}"[:100])
        for n in range(1800)
    ]


def test_a_fat_hour_does_not_stop_the_next_hour(reading_store: ReadingStore) -> None:
    """What does not fit into the hour is set aside, with its reason, and everything else is stored."""
    answer = fat_hour() + series(NOON + HOUR, 12)
    report = reading_store.save("ada", answer, NOON)

    assert report.stored + len(report.set_aside) == len(answer)
    assert {one.reason for one in report.set_aside} == {HOUR_FULL}
    assert instants(everything(reading_store))[-12:] == [record.at for record in series(NOON + HOUR, 12)]
    assert max(map(size_bytes, items(reading_store))) < 400_000 / 2


def test_saving_a_fat_hour_again_writes_nothing(reading_store: ReadingStore) -> None:
    """The same records are set aside each time, and count neither as stored nor as duplicates."""
    first = reading_store.save("ada", fat_hour(), NOON)
    again = reading_store.save("ada", fat_hour(), NOON + SECOND)

    assert again.set_aside == first.set_aside
    assert (again.stored, again.duplicates, again.hours_written) == (0, first.stored, 0)


def test_every_hour_is_written_before_an_error_is_raised(reading_store: ReadingStore) -> None:
    """An hour that DynamoDB refuses does not keep the later ones from being stored."""
    broken, _ = refusing(reading_store, 13)
    with pytest.raises(ClientError):
        broken.save("ada", series(NOON, 36), NOON)

    assert instants(everything(reading_store)) == [
        record.at for record in series(NOON, 36) if record.at.hour != NOON.hour + 1
    ]
    assert reading_store.save("ada", series(NOON, 36), NOON).stored == 12


def test_a_table_that_refuses_everything_is_not_tried_on(reading_store: ReadingStore) -> None:
    """After some failures in a row the save ends: a retry of each hour would take minutes."""
    broken, client = refusing(reading_store, 12, 13, 14, 15, 16, 17)
    with pytest.raises(ClientError):
        broken.save("ada", series(NOON, 72), NOON)

    assert len(client.tries) == FAILURES_MAX


def test_an_unreadable_hour_does_not_stop_its_neighbours(reading_store: ReadingStore) -> None:
    """Its own readings are set aside, it stays as it is, and the others are stored."""
    reading_store.save("ada", series(NOON + HOUR, 3), NOON)
    damaged = items(reading_store)[0] | {"readings": "damaged"}
    reading_store.table.put(damaged)
    report = reading_store.save("ada", series(NOON, 36), NOON)

    assert (report.stored, report.duplicates) == (24, 0)
    assert [one.reason for one in report.set_aside] == [HOUR_UNREADABLE] * 12
    assert next(item for item in items(reading_store) if item["sk"] == damaged["sk"]) == damaged
    assert len(list(reading_store.between("ada", NOON, NOON + HOUR))) == 12


def test_a_poll_sees_an_unreadable_hour_as_a_gap(reading_store: ReadingStore) -> None:
    """Polls and the completeness skip it, and a caller's range is rejected: it must not be incomplete."""
    reading_store.save("ada", series(NOON, 36), NOON)
    reading_store.table.put(items(reading_store)[1] | {"readings": "damaged"})
    around = NOON, NOON + HOUR * 3

    assert len(reading_store.instants_eventually_consistent("ada", *around)) == 24
    assert len(list(reading_store.readable_between("ada", *around))) == 24
    with pytest.raises(HourUnreadable):
        list(reading_store.between("ada", *around))


def test_an_hour_that_becomes_unreadable_during_a_save(reading_store: ReadingStore) -> None:
    """The refused write returns an item that cannot be read, and the save ends."""
    reading_store.save("ada", series(NOON, 3), NOON)
    reading_store.table.put(items(reading_store)[0] | {"sk": "2026-04-26T13", "readings": "damaged"})

    class Late(Refusing):
        """A client whose queries do not show the damaged hour yet."""

        def query(self, **request: Any) -> Any:
            """The stored items without the damaged one."""
            page = self._client.query(**request)
            return page | {"Items": [item for item in page["Items"] if item["sk"]["S"] != "2026-04-26T13"]}

    late = replace(
        reading_store,
        table=Table(
            cast("DynamoDBClient", Late(reading_store.table.client, set())), reading_store.table.name
        ),
    )
    report = late.save("ada", series(NOON + HOUR, 12), NOON)
    assert [one.reason for one in report.set_aside] == [HOUR_UNREADABLE] * 12
