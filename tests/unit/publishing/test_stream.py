from __future__ import annotations

from typing import Any

import pytest

from bg_ingest.dynamo import Table, to_attributes
from bg_ingest.publishing.stream import RecordUnreadable, events_of
from bg_ingest.readings.store import ReadingStore
from tests.support.fakes import FakeClock
from tests.support.memory_stream import TTL, StreamingDynamo, change_record
from tests.unit.publishing.test_account_events import CONNECTION, JOB
from tests.unit.readings.made_up import LATER, at, measured

CAUSES = ["0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b", "ticket-4711", "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", None]


def _hour(cause: str | None = None) -> dict[str, Any]:
    """An hour's item as the logbook writes it."""
    dynamo = StreamingDynamo()
    reading_store = ReadingStore(Table(dynamo, "readings"), FakeClock(LATER), 730, lambda: cause)  # type: ignore[arg-type]  # It passes for one.
    reading_store.save("ada", [measured(at(1)), measured(at(6), 120)], LATER)
    ((_, item),) = dynamo.tables["readings"].items()
    return item


@pytest.mark.parametrize("cause", CAUSES)
def test_the_correlation_id_travels_through_the_table(cause: str | None) -> None:
    """Letter for letter, whatever a caller chose; a UUID takes sixteen bytes of the item."""
    item = _hour(cause)
    (event,) = events_of(change_record(None, item))

    assert event.correlation_id == cause
    if cause == CAUSES[0]:
        assert len(item["by"]["B"]) == 16


def test_what_expired_is_told_with_its_instants_alone() -> None:
    """A consumer with a copy can follow; no value is sent after its time."""
    (event,) = events_of(change_record(_hour(), None, by=TTL))

    assert event.event_type == "bg.readings.removed"
    assert event.data == {
        "user_id": "ada",
        "count": 2,
        "reason": "expired",
        "timestamps": ["2026-11-21T05:01:00Z", "2026-11-21T05:06:00Z"],
    }


def test_an_erased_hour_is_not_told() -> None:
    """The end of the connection says it for all of them."""
    assert events_of(change_record(_hour(), None)) == []


def test_bytes_of_a_stream_are_read_and_stay_here() -> None:
    """Sealed tokens come as base64, and go nowhere."""
    (event,) = events_of(change_record(None, to_attributes(CONNECTION), table="users"))

    assert event.data["state"] == "connected"
    assert "clear" not in event.as_text("s")


def test_a_failed_job_is_told() -> None:
    """From the users table's stream."""
    (event,) = events_of(change_record(None, to_attributes(JOB), table="users"))

    assert event.event_type == "bg.sync.failed"


@pytest.mark.parametrize("sk", ["sync", "day#2026-11-21", "quarantine#1", "receipt#1", "login#1", "inbox#1"])
def test_everything_else_is_nobodys_business(sk: str) -> None:
    """Should the filter in the template ever let it through."""
    item = to_attributes({"pk": "ada", "sk": sk})

    assert events_of(change_record(None, item, table="users")) == []


@pytest.mark.parametrize(
    "readings", ["", "[]", '{"format": 99}', '{"format": 1, "at": [1], "mg_dl": "a"}', None]
)
def test_an_hour_that_cannot_be_read_is_said_so_without_a_value(readings: str | None) -> None:
    """With the kind of error and nothing else."""
    item = _hour() | {"readings": {"S": readings}}
    if readings is None:
        item.pop("readings")

    with pytest.raises(RecordUnreadable) as unreadable:
        events_of(change_record(None, item))
    assert str(unreadable.value) in {"HourUnreadable", "KeyError"}
