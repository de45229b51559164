"""Services list users, and programs read exports and changes, of the deployed stack."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from arro3.io import read_parquet

from bg_ingest.clock import rfc_3339
from local.waiting import wait_until

if TYPE_CHECKING:
    from datetime import datetime

    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def _columns(file: bytes) -> dict[str, list[Any]]:
    table = read_parquet(io.BytesIO(file)).read_all()
    return {name: table.column(name).to_pylist() for name in table.schema.names}


def test_an_export_has_the_readings_of_the_range(demo_user: Api, now: datetime) -> None:
    """The Parquet file of the deployed function equals the JSON of the range, value by value."""
    start, end = rfc_3339(now - timedelta(days=3)), rfc_3339(now - timedelta(days=1))
    read = demo_user.get(f"/api/bg/demo?from={start}&to={end}&limit=1000").json()
    answer = demo_user.get(f"/api/bg/demo/export?from={start}&to={end}")
    columns = _columns(answer.content)

    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert columns["glucose_mg_dl"] == [reading["glucose_mg_dl"] for reading in read]
    assert list(map(rfc_3339, columns["time"])) == [reading["timestamp"] for reading in read]
    assert set(columns["source"]) == {"dexcom"}


def test_following_the_changes_gives_every_reading_once(demo_user: Api) -> None:
    """The changes since the beginning hold the readings that the range has."""
    url, found = "/api/bg/demo/changes?limit=2000", []
    while True:
        answer = demo_user.get(url)
        page = answer.json()
        if not page:
            break
        found += page
        url = answer.headers["link"].partition("<")[2].partition(">")[0]
    last = found[-1]["timestamp"]
    newest = demo_user.get(f"/api/bg/demo?to={last}&limit=100&order=desc").json()
    copied = {change["timestamp"]: change["glucose_mg_dl"] for change in found}

    assert len(found) > 2_000
    assert all(copied[reading["timestamp"]] == reading["glucose_mg_dl"] for reading in newest)
    assert [change["changed_at"] for change in found] == sorted(change["changed_at"] for change in found)


def test_a_service_lists_the_users(caller: Any) -> None:
    """The demo user is among them, connected and with data."""
    service: Api = caller("a-service", "bg/read")
    users = {user["user_id"]: user for user in service.get("/api/bg").json()}

    assert users["demo"]["connection"] == "connected"
    assert users["demo"]["provider"] == "dexcom"
    assert users["demo"]["data_until"]


@pytest.mark.parametrize("kind", ["of the user", "of all users"])
def test_an_export_in_the_background_can_be_opened(caller: Any, demo_user: Api, kind: str) -> None:
    """The links open the files that the manifest describes, and they are dead after the removal."""
    asking: Api = demo_user if kind == "of the user" else caller("a-service", "bg/read")
    path, body = ("/api/bg/demo/exports", {}) if asking is demo_user else ("/api/exports", {"users": "all"})
    answer = asking.post(path, body)
    assert answer.status_code == 202, answer.text
    address = urlsplit(answer.headers["location"]).path

    assert wait_until(lambda: asking.get(address).json()["status"] == "succeeded", 60)
    files = [file for file in asking.get(address).json()["files"] if file["user_id"] == "demo"]
    contents = [httpx.get(file["url"], trust_env=False).content for file in files]
    assert [hashlib.sha256(each).hexdigest() for each in contents] == [file["sha256"] for file in files]
    rows = [glucose for each in contents for glucose in _columns(each)["glucose_mg_dl"]]
    assert len(rows) == sum(file["rows"] for file in files) > 2_000

    assert asking.client.delete(address).status_code == 204
    assert httpx.get(files[0]["url"], trust_env=False).status_code == 404
    assert asking.get(address).status_code == 404
