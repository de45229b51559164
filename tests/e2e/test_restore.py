"""The restore of docs/operations.md, on the deployed stack."""

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
from tests.support.logins import save_login
from tools import restore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bg_ingest.dynamo import Item
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_ENDPOINT = Endpoint("dexcom", "custom")


@dataclass(frozen=True, slots=True)
class RestoreRehearsal:
    """The tables of the stack, the restored table, and a day in the past."""

    client: Any
    readings: Table
    users: Table
    restored: str
    at: datetime
    day: datetime

    def restore(self, *more: str, client: Any = None) -> None:
        """Run the command of docs/operations.md."""
        tables = [self.restored, self.readings.name, "--users", self.users.name, "--at", self.at.isoformat()]
        assert restore.main([*tables, *more], client or self.client) == 0

    def connect(self, user_id: str, at: datetime) -> None:
        """Store a connection with its first login at that time."""
        save_login(Connections(self.users, FakeClock(at)), user_id, _ENDPOINT, b"sealed", data_from=self.day)

    def hours(self, user_id: str) -> list[Item]:
        """The current hours of this user, oldest first."""
        return list(self.readings.query("pk = :user", {":user": user_id}, consistent=True))

    def versions(self, user_id: str) -> list[int]:
        """The versions of these hours."""
        return [item["version"] for item in self.hours(user_id)]


@pytest.fixture
def rehearsal(cloud: Stack) -> Iterator[RestoreRehearsal]:
    """Three users with three hours each, and a table restored from that state."""
    client, clock = cloud.emulator.client("dynamodb"), SystemClock()
    now = clock.now().replace(microsecond=0)
    at, day = now - timedelta(minutes=5), (now - timedelta(days=5)).replace(hour=9, minute=0, second=0)
    readings, users = Table(client, cloud.readings_table), Table(client, cloud.users_table)
    stage = RestoreRehearsal(client, readings, users, f"{readings.name}-restored", at, day)
    reading_store = ReadingStore(readings, clock, 730)
    for user_id in ("ada", "bob", "joan"):
        # The same initial state for every test.
        users.delete(user_id, "connection")
        readings.delete_all((user_id, item["sk"]) for item in stage.hours(user_id))
        stage.connect(user_id, at - timedelta(days=9))
        made = [Reading(day + timedelta(hours=hour), 100 + hour) for hour in range(3)]
        reading_store.save(user_id, made, now)
    client.restore_table_to_point_in_time(SourceTableName=readings.name, TargetTableName=stage.restored)
    yield stage
    client.delete_table(TableName=stage.restored)


@dataclass(frozen=True, slots=True)
class RacingClient:
    """A client that writes each item for another process just before the tool writes it."""

    client: Any

    def __getattr__(self, name: str) -> Any:
        """Every other operation is unchanged."""
        return getattr(self.client, name)

    def put_item(self, **request: Any) -> Any:
        """Write an item of another process, then this one."""
        concurrent = {**request["Item"], "readings": {"S": "[]"}, "version": {"N": "7"}}
        self.client.put_item(TableName=request["TableName"], Item=concurrent)
        return self.client.put_item(**request)


def _hour(rehearsal: RestoreRehearsal, number: int) -> str:
    return f"{rehearsal.day + timedelta(hours=number):%Y-%m-%dT%H}"


def test_lost_hours_are_restored_except_of_erased_users(
    rehearsal: RestoreRehearsal, caller: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damaged hours get the next version, newer hours stay, and a run without --write changes no item."""
    ada: Api = caller("ada")
    before = ada.get("/api/bg/ada?limit=100&from=" + rehearsal.day.strftime("%Y-%m-%dT%H:%M:%SZ")).json()
    assert [reading["glucose_mg_dl"] for reading in before] == [100, 101, 102]
    # One hour is deleted, one is damaged, and one has a newer version from after the restored time.
    rehearsal.readings.delete("ada", _hour(rehearsal, 0))
    (_, damaged, newer) = [_hour(rehearsal, number) for number in range(3)]
    rehearsal.readings.update(
        "ada", damaged, "SET readings = :bad, version = :two", {":bad": "[]", ":two": 2}
    )
    later = Reading(rehearsal.day + timedelta(hours=2, minutes=5), 103)
    ReadingStore(rehearsal.readings, SystemClock(), 730).save("ada", [later], SystemClock().now())
    # One user is erased. Another is erased and connects again later.
    for user_id in ("bob", "joan"):
        rehearsal.users.delete(user_id, "connection")
        rehearsal.readings.delete_all((user_id, _hour(rehearsal, number)) for number in range(3))
    rehearsal.connect("joan", SystemClock().now())
    # One hour of the copy has expired.
    expired = Table(rehearsal.client, rehearsal.restored).get("ada", damaged) or {}
    Table(rehearsal.client, rehearsal.restored).put(expired | {"sk": "2001-01-01T00", "expires_at": 1})

    rehearsal.restore()
    counted = capsys.readouterr().out
    assert rehearsal.versions("ada") == [2, 2]
    rehearsal.restore("--repair-before", newer, "--write")
    rehearsal.restore("--repair-before", newer, "--write")

    after = ada.get("/api/bg/ada?limit=100&from=" + rehearsal.day.strftime("%Y-%m-%dT%H:%M:%SZ")).json()
    assert after[:3] == before
    assert [reading["glucose_mg_dl"] for reading in after[3:]] == [103]
    assert rehearsal.versions("ada") == [1, 3, 2]
    assert (rehearsal.versions("bob"), rehearsal.versions("joan")) == ([], [])
    assert "1  missing, not written yet" in counted
    assert "2  different, not copied" in counted
    assert "of erased users" in counted


def test_a_concurrent_write_is_not_overwritten(
    rehearsal: RestoreRehearsal, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sync that writes during the restore has newer data."""
    rehearsal.readings.delete("ada", _hour(rehearsal, 0))
    damaged = _hour(rehearsal, 1)
    rehearsal.readings.update(
        "ada", damaged, "SET readings = :bad, version = :two", {":bad": "[]", ":two": 2}
    )

    rehearsal.restore(
        "--repair-before", _hour(rehearsal, 2), "--write", client=RacingClient(rehearsal.client)
    )

    assert rehearsal.versions("ada") == [7, 7, 1]
    counted = capsys.readouterr().out
    assert "1  missing, but changed meanwhile" in counted
    assert "1  different, but changed meanwhile" in counted


def test_a_lost_connection_is_restored_and_no_other_changes(
    cloud: Stack, rehearsal: RestoreRehearsal
) -> None:
    """An older copy would end a connection, because a refresh token works once."""
    users = f"{rehearsal.users.name}-restored"
    rehearsal.users.put({"pk": "app#rehearsal", "sk": "2001-01-01T00", "taken": 1})
    rehearsal.client.restore_table_to_point_in_time(
        SourceTableName=rehearsal.users.name, TargetTableName=users
    )
    try:
        rehearsal.users.delete("app#rehearsal", "2001-01-01T00")
        rehearsal.users.delete("ada", "connection")
        rehearsal.users.delete("joan", "connection")
        rehearsal.users.update("bob", "connection", "SET sealed_tokens = :newer", {":newer": b"newer"})
        assert (
            restore.main([users, cloud.users_table, "--write", "--leave-out", "joan"], rehearsal.client) == 0
        )
    finally:
        rehearsal.client.delete_table(TableName=users)

    found = {name: rehearsal.users.get(name, "connection") for name in ("ada", "bob", "joan")}
    assert {name: item and item["sealed_tokens"] for name, item in found.items()} == {
        "ada": b"sealed",
        "bob": b"newer",
        "joan": None,
    }
    assert rehearsal.users.get("app#rehearsal", "2001-01-01T00") is None


def test_a_restore_of_readings_needs_users_and_time(rehearsal: RestoreRehearsal) -> None:
    """Without the users table or the restored time, erased users could not be excluded."""
    for incomplete in (["--users", "users"], ["--repair-before", "2026-11-18T00"]):
        with pytest.raises(SystemExit):
            restore.main([rehearsal.restored, rehearsal.readings.name, *incomplete], rehearsal.client)
