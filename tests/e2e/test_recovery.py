"""The rehearsal of docs/operations.md: what was lost comes back, on the deployed stack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.accounts.connection import Connections
from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.providers.seam import Endpoint
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from tests.support.fakes import FakeClock
from tools import restore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bg_ingest.dynamo import Item
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e

_ENDPOINT = Endpoint("dexcom", "custom", "http://127.0.0.1:9")


@dataclass(frozen=True, slots=True)
class Disaster:
    """The stack's tables, what was restored of them, and a day that is long over."""

    client: Any
    readings: Table
    users: Table
    restored: str
    at: datetime
    day: datetime

    def recover(self, *more: str, client: Any = None) -> None:
        """Run the command of docs/operations.md."""
        tables = [self.restored, self.readings.name, "--users", self.users.name, "--at", self.at.isoformat()]
        assert restore.main([*tables, *more], client or self.client) == 0

    def connect(self, user_id: str, at: datetime) -> None:
        """A person who logged in then."""
        Connections(self.users, FakeClock(at)).save_new(user_id, _ENDPOINT, b"sealed", data_from=self.day)

    def hours(self, user_id: str) -> list[Item]:
        """That person's hours as they are now, oldest first."""
        return list(self.readings.query("pk = :user", {":user": user_id}, consistent=True))

    def versions(self, user_id: str) -> list[int]:
        """How often each of them was written."""
        return [item["version"] for item in self.hours(user_id)]


@pytest.fixture
def disaster(cloud: Stack) -> Iterator[Disaster]:
    """Two people with three hours each; a table restored from then; and after that everything goes wrong."""
    client, clock = cloud.emulator.client("dynamodb"), SystemClock()
    now = clock.now().replace(microsecond=0)
    at, day = now - timedelta(minutes=5), (now - timedelta(days=5)).replace(hour=9, minute=0, second=0)
    readings, users = Table(client, cloud.readings_table), Table(client, cloud.users_table)
    stage = Disaster(client, readings, users, f"{readings.name}-restored", at, day)
    reading_store = ReadingStore(readings, clock, 730)
    for user_id in ("ada", "bob", "joan"):
        # As on the first day, whichever rehearsal was before this one.
        users.delete(user_id, "connection")
        readings.delete_all((user_id, item["sk"]) for item in stage.hours(user_id))
        stage.connect(user_id, at - timedelta(days=9))
        made = [Reading(day + timedelta(hours=hour), 100 + hour) for hour in range(3)]
        reading_store.save(user_id, made, now)
    client.restore_table_to_point_in_time(SourceTableName=readings.name, TargetTableName=stage.restored)
    yield stage
    client.delete_table(TableName=stage.restored)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """The client of a recovery that somebody is quicker than: each item is written just before."""

    client: Any

    def __getattr__(self, name: str) -> Any:
        """Everything else is as ever."""
        return getattr(self.client, name)

    def put_item(self, **request: Any) -> Any:
        """Somebody else's write, then this one."""
        theirs = {**request["Item"], "readings": {"S": "[]"}, "version": {"N": "7"}}
        self.client.put_item(TableName=request["TableName"], Item=theirs)
        return self.client.put_item(**request)


def _hour(disaster: Disaster, number: int) -> str:
    return f"{disaster.day + timedelta(hours=number):%Y-%m-%dT%H}"


def test_what_was_lost_comes_back_and_who_was_erased_does_not(
    disaster: Disaster, caller: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing hours, damaged hours, newer hours; the versions go on, and counting changes nothing."""
    ada: Api = caller("ada")
    before = ada.get("/api/bg/ada?limit=100&from=" + disaster.day.strftime("%Y-%m-%dT%H:%M:%SZ")).json()
    assert [reading["glucose_mg_dl"] for reading in before] == [100, 101, 102]
    # An hour is deleted, one is damaged, and one was written once more, rightly, since the restored instant.
    disaster.readings.delete("ada", _hour(disaster, 0))
    (_, damaged, newer) = [_hour(disaster, number) for number in range(3)]
    disaster.readings.update("ada", damaged, "SET readings = :bad, version = :two", {":bad": "[]", ":two": 2})
    later = Reading(disaster.day + timedelta(hours=2, minutes=5), 103)
    ReadingStore(disaster.readings, SystemClock(), 730).save("ada", [later], SystemClock().now())
    # One person is erased; another is erased and comes back as somebody new.
    for user_id in ("bob", "joan"):
        disaster.users.delete(user_id, "connection")
        disaster.readings.delete_all((user_id, _hour(disaster, number)) for number in range(3))
    disaster.connect("joan", SystemClock().now())
    # And an hour has expired in the copy.
    expired = Table(disaster.client, disaster.restored).get("ada", damaged) or {}
    Table(disaster.client, disaster.restored).put(expired | {"sk": "2001-01-01T00", "expires_at": 1})

    disaster.recover()
    counted = capsys.readouterr().out
    assert disaster.versions("ada") == [2, 2]
    disaster.recover("--repair-before", newer, "--write")
    disaster.recover("--repair-before", newer, "--write")

    after = ada.get("/api/bg/ada?limit=100&from=" + disaster.day.strftime("%Y-%m-%dT%H:%M:%SZ")).json()
    assert after[:3] == before
    assert [reading["glucose_mg_dl"] for reading in after[3:]] == [103]
    assert disaster.versions("ada") == [1, 3, 2]
    assert (disaster.versions("bob"), disaster.versions("joan")) == ([], [])
    assert "1  missing, not written yet" in counted
    assert "2  different, left alone" in counted
    assert "of people who were erased" in counted


def test_whoever_writes_meanwhile_wins(disaster: Disaster, capsys: pytest.CaptureFixture[str]) -> None:
    """A sync that is quicker than the recovery has newer data: the service goes on while it runs."""
    disaster.readings.delete("ada", _hour(disaster, 0))
    damaged = _hour(disaster, 1)
    disaster.readings.update("ada", damaged, "SET readings = :bad, version = :two", {":bad": "[]", ":two": 2})

    disaster.recover("--repair-before", _hour(disaster, 2), "--write", client=Meanwhile(disaster.client))

    assert disaster.versions("ada") == [7, 7, 1]
    counted = capsys.readouterr().out
    assert "1  missing, but changed meanwhile" in counted
    assert "1  different, but changed meanwhile" in counted


def test_a_lost_connection_comes_back_and_a_living_one_is_not_touched(
    cloud: Stack, disaster: Disaster
) -> None:
    """
    A refresh token works once: an older copy over a newer one would end the connection.

    Neither does anybody come back who was named, nor what the application counted hours ago.
    """
    users = f"{disaster.users.name}-restored"
    disaster.users.put({"pk": "app#rehearsal", "sk": "2001-01-01T00", "taken": 1})
    disaster.client.restore_table_to_point_in_time(SourceTableName=disaster.users.name, TargetTableName=users)
    try:
        disaster.users.delete("app#rehearsal", "2001-01-01T00")
        disaster.users.delete("ada", "connection")
        disaster.users.delete("joan", "connection")
        disaster.users.update("bob", "connection", "SET sealed_tokens = :newer", {":newer": b"newer"})
        assert (
            restore.main([users, cloud.users_table, "--write", "--leave-out", "joan"], disaster.client) == 0
        )
    finally:
        disaster.client.delete_table(TableName=users)

    found = {name: disaster.users.get(name, "connection") for name in ("ada", "bob", "joan")}
    assert {name: item and item["sealed_tokens"] for name, item in found.items()} == {
        "ada": b"sealed",
        "bob": b"newer",
        "joan": None,
    }
    assert disaster.users.get("app#rehearsal", "2001-01-01T00") is None


def test_nobody_forgets_who_was_erased(disaster: Disaster) -> None:
    """Without the users table there is no repair, and without the instant no users table."""
    for incomplete in (["--users", "users"], ["--repair-before", "2026-11-18T00"]):
        with pytest.raises(SystemExit):
            restore.main([disaster.restored, disaster.readings.name, *incomplete], disaster.client)
