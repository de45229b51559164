"""The export of readings as one file."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from arro3.io import read_parquet

from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import WriteLimits
from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock, rfc_3339
from bg_ingest.dynamo import Table
from bg_ingest.exporting.export_file import Exporter
from bg_ingest.exporting.export_objects import ExportObjects, user_prefix
from bg_ingest.exporting.tables.export_table import GRID_COLUMNS, READING_COLUMNS
from bg_ingest.exporting.user_list import UserList
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.wiring.erase_parts import eraser
from functions.export.app import build
from tests.functions.conftest import EVENTS, REGION, LambdaContext, part
from tests.functions.gateway import Request, send
from tests.support.fakes import FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.moto_resources import s3_client

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

NOW = datetime(2026, 4, 26, 12, 0, 30, tzinfo=UTC)
START = datetime(2026, 4, 26, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
API = ApiSettings(user_id_claim="sub", public_url="https://api.example.org", return_urls=frozenset())
RANGE = {"from": "2026-04-26T08:00:00Z", "to": "2026-04-26T09:00:00Z"}


@dataclass(frozen=True, slots=True)
class ExportApi:
    """The export over one store in memory."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    memory: Any = field(default_factory=MemoryDynamo.client)

    def store(self) -> ReadingStore:
        """The store in memory."""
        return ReadingStore(Table(self.memory, "readings"), self.clock, 730)

    def save(self, *values: tuple[float, int], status: Any = None) -> None:
        """Store readings of minutes after the start, fetched now."""
        readings = [
            Reading(
                START + MINUTE * minute,
                mg_dl,
                trend="flat",
                trend_rate=0.5,
                status=status,
                local_offset_minutes=-420,
                device=Device("g7", "iOS", "=G7"),
            )
            for minute, mg_dl in values
        ]
        self.store().save("demo", readings, self.clock.now())

    def get(self, objects: ExportObjects | None = None, limit: int = 5_000, **query: Any) -> dict[str, Any]:
        """The response to a request of the user `demo`."""
        users = Table(self.memory, "users")
        objects = objects or ExportObjects(None, "none")
        exporter = Exporter(self.store(), lambda _: "dexcom", limit, limit * 10, objects=objects)
        audit, no_limits = Audit(users, self.clock, 365), WriteLimits(None)  # type: ignore[arg-type]  # Only reads.
        exports: Any = None  # The routes of exports in the background are not called.
        app = build(UserList(users, ["dexcom"]), exporter, exports, audit, no_limits, self.clock, API)
        event = json.loads((EVENTS / "export_parquet.json").read_text())
        event |= {"queryStringParameters": RANGE | query, "rawQueryString": ""}
        response: dict[str, Any] = app.resolve(event, LambdaContext())  # type: ignore[arg-type]  # A stand-in.
        return response

    def file(self, **query: Any) -> bytes:
        """The bytes of a Parquet file."""
        response = self.get(**query)
        assert response["statusCode"] == 200, response["body"]
        assert response["isBase64Encoded"]
        return base64.b64decode(response["body"])

    def rows(self, **query: Any) -> list[dict[str, str]]:
        """The rows of a CSV file."""
        return list(csv.DictReader(io.StringIO(self.get(format="csv", **query)["body"])))


def _columns(file: bytes) -> dict[str, list[Any]]:
    table = read_parquet(io.BytesIO(file)).read_all()
    return {name: table.column(name).to_pylist() for name in table.schema.names}


def test_a_parquet_file_has_the_described_columns() -> None:
    """Names, units, descriptions and field ids are in the file; times have their zone, or none if local."""
    api = ExportApi()
    api.save((0, 110), (5, 39), status="low")
    response = api.get()
    schema = read_parquet(io.BytesIO(api.file())).schema
    columns = _columns(api.file())

    assert response["headers"]["Content-Type"] == "application/vnd.apache.parquet"
    assert (
        response["headers"]["Content-Disposition"]
        == 'attachment; filename="glucose-readings-20260426T080000Z-20260426T090000Z.parquet"'
    )
    assert schema.names == [column.name for column in READING_COLUMNS]
    for number, column in enumerate(READING_COLUMNS, 1):
        entry = schema.field(column.name)
        assert entry.metadata[b"PARQUET:field_id"] == str(number).encode()
        assert entry.metadata[b"description"] == column.description.encode()
        assert entry.nullable == column.is_nullable
    assert schema.field("glucose_mg_dl").metadata[b"unit"] == b"mg/dL"
    assert columns["time"] == [START, START + 5 * MINUTE]
    assert columns["local_time"][0] == datetime(2026, 4, 26, 1, 0)  # noqa: DTZ001 - without a zone.
    assert columns["glucose_mg_dl"] == [110, 39]
    assert columns["status"] == ["low", "low"]
    assert columns["trend_rate"] == [0.5, 0.5]
    assert columns["known_at"] == [NOW, NOW]
    assert columns["source"] == ["dexcom", "dexcom"]


def test_a_row_names_the_provider_of_its_value() -> None:
    """A relayed value is the relay's, and the reading is the own provider's once that has sent it."""
    api, at = ExportApi(), START + 5 * MINUTE
    api.store().save("demo", [Reading(at, 110, device=Device(relay="nightscout"))], api.clock.now())
    then = rfc_3339(api.clock.now())
    api.clock.advance(600)
    api.store().save("demo", [Reading(at, 110)], api.clock.now())

    assert [row["source"] for row in api.rows()] == ["dexcom"]
    assert [row["source"] for row in api.rows(as_of=then)] == ["nightscout"]


def test_the_same_as_of_gives_the_same_bytes() -> None:
    """A revision and a late reading change neither an earlier file nor its ETag."""
    api = ExportApi()
    api.save((0, 110), (5, 111))
    then = "2026-04-26T12:00:30Z"
    queries: tuple[dict[str, Any], ...] = ({}, {"grid": "5min"}, {"columns": "iglu"})
    for query in queries:
        before, tag = api.file(as_of=then, **query), api.get(as_of=then, **query)["headers"]["ETag"]
        api.clock.advance(600)
        api.save((5, 180), (10, 300 + len(query)))
        assert api.file(as_of=then, **query) == before
        assert api.get(as_of=then, **query)["headers"]["ETag"] == tag
        assert api.file(**query) != before

    assert _columns(api.file(as_of=then))["glucose_mg_dl"] == [110, 111]
    assert _columns(api.file())["glucose_mg_dl"][:2] == [110, 180]


def test_the_grid_has_a_row_for_each_slot() -> None:
    """The first reading of a slot counts; nothing is interpolated; the nearest offset before fills a gap."""
    api = ExportApi()
    api.save((-2, 90), (4, 100), (6, 101), (7, 102), (21, 120), (58, 200))
    columns = _columns(api.file(grid="5min"))

    assert list(columns) == [column.name for column in GRID_COLUMNS]
    assert columns["slot"] == [START + n * 5 * MINUTE for n in range(12)]
    assert columns["glucose_mg_dl"] == [90, 100, None, None, 120, *[None] * 7]
    assert columns["n"] == [1, 3, 0, 0, 1, *[0] * 7]
    assert columns["is_observed"] == [True, True, False, False, True, *[False] * 7]
    assert columns["local_time"][3] == datetime(2026, 4, 26, 1, 15)  # noqa: DTZ001 - without a zone.
    assert columns["known_at"][1:3] == [NOW, None]


def test_text_files_hold_the_same_rows() -> None:
    """CSV and NDJSON have the same columns, and a spreadsheet executes no text as a formula."""
    api = ExportApi()
    api.save((0, 110))
    (row,) = api.rows()
    lines = api.get(format="ndjson")["body"].splitlines()

    assert list(row) == [column.name for column in READING_COLUMNS]
    assert (row["time"], row["local_time"]) == ("2026-04-26T08:00:00Z", "2026-04-26T01:00:00")
    assert (row["device_app"], row["status"]) == ("'=G7", "")
    assert json.loads(lines[0]) == {
        "user": "demo",
        "time": "2026-04-26T08:00:00Z",
        "local_time": "2026-04-26T01:00:00",
        "local_offset_minutes": -420,
        "glucose_mg_dl": 110,
        "status": None,
        "trend": "flat",
        "trend_rate": 0.5,
        "kind": "cgm",
        "device_generation": "g7",
        "device_display": "iOS",
        "device_app": "=G7",
        "revision": 0,
        "known_at": "2026-04-26T12:00:30Z",
        "source": "dexcom",
    }


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("iglu", ["id", "time", "gl"]),
        ("babelbetes", ["patient_id", "datetime", "cgm"]),
        ("glupredkit", ["date", "date_utc", "id", "CGM", "is_test"]),
        (
            "cgm-format",
            [
                "sequence_id",
                "original_datetime",
                "original_glucose",
                "quality",
                "event_type",
                "datetime",
                "glucose",
                "carbs",
                "insulin_slow",
                "insulin_fast",
                "exercise",
            ],
        ),
    ],
)
def test_a_tool_gets_its_own_column_names(tool: str, names: list[str]) -> None:
    """With and without the grid, in each format."""
    api = ExportApi()
    api.save((0, 110))

    assert list(api.rows(columns=tool)[0]) == names
    assert list(_columns(api.file(columns=tool, grid="5min"))) == names


def test_a_range_without_readings_is_a_file_without_rows() -> None:
    """The columns are there, so a program needs no special case; the grid has its slots."""
    api = ExportApi()

    assert _columns(api.file())["time"] == []
    assert api.rows() == []
    assert _columns(api.file(grid="5min"))["n"] == [0] * 12


@pytest.mark.usefixtures("world")
def test_a_file_that_is_too_large_becomes_a_link() -> None:
    """The link opens the same bytes without a token, and an erasure removes the object."""
    api = ExportApi()
    api.save(*((n, 110) for n in range(60)))
    client = s3_client(REGION)
    response = api.get(ExportObjects(aws_clients.s3(REGION), "exports"), limit=500, format="csv")

    assert response["statusCode"] == 303
    (entry,) = client.list_objects_v2(Bucket="exports")["Contents"]
    assert entry["Key"].startswith(user_prefix("demo"))
    assert "demo" not in entry["Key"]
    assert "X-Amz-Expires=300" in response["headers"]["Location"]
    stored = client.get_object(Bucket="exports", Key=entry["Key"])["Body"].read()
    assert stored.decode() == api.get(limit=100_000, format="csv")["body"]

    receipt = part(eraser).erase("demo", lambda: 60.0)

    assert receipt.removed["export_files"] == 1
    assert "Contents" not in client.list_objects_v2(Bucket="exports")


def test_the_deployed_route_answers_with_the_file(world: FunctionsWorld) -> None:
    """The entry point encodes the bytes for the gateway; a second request with the ETag is 304."""
    _, answer = send(world, Request("GET", "/api/bg/demo/export", {"sub": "demo"}))
    columns = _columns(base64.b64decode(answer["body"]))
    assert len(columns["time"]) == 12
    assert set(columns["source"]) == {"dexcom"}
    headers = {"if-none-match": answer["headers"]["ETag"]}
    until = answer["headers"]["Content-Disposition"].rpartition("-")[2]

    assert until.endswith('Z.parquet"')
    _, again = send(world, Request("GET", "/api/bg/demo/export?format=csv", {"sub": "demo"}, headers))
    assert again["statusCode"] == 200  # Another file.
    then = SystemClock().now().isoformat().replace("+00:00", "Z")
    url = f"/api/bg/demo/export?as_of={then}"
    tag = send(world, Request("GET", url, {"sub": "demo"}))[1]["headers"]["ETag"]
    _, unchanged = send(world, Request("GET", url, {"sub": "demo"}, {"if-none-match": tag}))
    assert unchanged["statusCode"] == 304


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("format=xlsx", "format"),
        ("grid=1min", "grid"),
        ("columns=excel", "columns"),
        ("as_of=2099-01-01T00:00:00Z", "as_of"),
        ("from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", "from"),
        ("form=csv", "form"),
    ],
)
def test_an_invalid_parameter_of_an_export_is_named(world: FunctionsWorld, query: str, named: str) -> None:
    """The answer is 422, as for the range read."""
    _, answer = send(world, Request("GET", f"/api/bg/demo/export?{query}", {"sub": "demo"}))

    assert answer["statusCode"] == 422
    assert [error["field"] for error in json.loads(answer["body"])["errors"]] == [named]
