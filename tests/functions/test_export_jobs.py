"""Exports in the background, from the request to the removal, with the real wiring."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from arro3.io import read_parquet

from bg_ingest.aws import aws_clients
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.erase_parts import eraser
from bg_ingest.wiring.process import process
from tests.functions.conftest import REGION, part
from tests.functions.gateway import Claims, Request, send
from tests.functions.test_user_list import _log_in as log_in
from tests.support.moto_resources import s3_client

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

DEMO = {"sub": "demo"}
SERVICE = {"sub": "a-service", "scope": "bg/read"}
OTHER_SERVICE = {"sub": "another-service", "scope": "bg/read"}
UNKNOWN = "0" * 28


def _ask(world: FunctionsWorld, method: str, url: str, claims: Claims, body: Any = None) -> dict[str, Any]:
    text = None if body is None else json.dumps(body)
    return send(world, Request(method, url, claims, body=text))[1]


def _order(world: FunctionsWorld, url: str, claims: Claims, body: Any = None) -> str:
    answer = _ask(world, "POST", url, claims, body)
    assert answer["statusCode"] == 202, answer["body"]
    shown = json.loads(answer["body"])
    assert (shown["status"], shown["files"], shown["manifest"]) == ("queued", [], None)
    path: str = urlsplit(answer["headers"]["Location"]).path
    assert path == f"{url}/{shown['export_id']}"
    return path


def _work(world: FunctionsWorld) -> None:
    """Let the exporter carry out everything in its queue."""
    sqs, url = aws_clients.sqs(REGION), process().settings.exports_queue_url
    while messages := sqs.receive_message(QueueUrl=url).get("Messages"):
        (message,) = messages
        event = world.event("exporter_slice")
        event["Records"][0] |= {"body": message["Body"], "receiptHandle": message["ReceiptHandle"]}
        assert world.invoke("exporter", event) == {"batchItemFailures": []}
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _shown(world: FunctionsWorld, path: str, claims: Claims) -> dict[str, Any]:
    answer = _ask(world, "GET", path, claims)
    assert answer["statusCode"] == 200, answer["body"]
    shown: dict[str, Any] = json.loads(answer["body"])
    return shown


def _opened(url: str) -> bytes | None:
    """The object that a link opens; None if it does not exist any more."""
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["3600"]
    key = unquote(urlsplit(url).path).removeprefix("/exports/").lstrip("/")
    client = s3_client(REGION)
    try:
        return bytes(client.get_object(Bucket="exports", Key=key)["Body"].read())
    except client.exceptions.NoSuchKey:
        return None


def test_a_user_exports_and_removes_a_file(world: FunctionsWorld) -> None:
    """The links open what the manifest says, without a user id in them, and are dead after the removal."""
    path = _order(world, "/api/bg/demo/exports", DEMO, {"to": "2099-01-01T00:00:00Z"})
    _work(world)
    shown = _shown(world, path, DEMO)

    assert shown["status"] == "succeeded"
    assert shown["progress"]["done"] == shown["progress"]["total"] >= 24
    assert "demo" not in "".join(file["url"] + file["name"] for file in shown["files"])
    rows = 0
    for file in shown["files"]:
        data = _opened(file["url"])
        assert data is not None
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        table = read_parquet(io.BytesIO(data)).read_all()
        assert (len(data), table.num_rows) == (file["bytes"], file["rows"])
        rows += table.num_rows
    assert rows == shown["manifest"]["rows"] == 12
    written = json.loads(_opened(shown["manifest"]["url"]) or b"")
    names = ("name", "rows", "bytes", "sha256")
    assert [[file[name] for name in names] for file in written["files"]] == [
        [file[name] for name in names] for file in shown["files"]
    ]
    assert written["schema"] == shown["manifest"]["schema"]

    assert _ask(world, "DELETE", path, DEMO)["statusCode"] == 204
    assert _opened(shown["files"][0]["url"]) is None
    assert _opened(shown["manifest"]["url"]) is None
    assert _ask(world, "GET", path, DEMO)["statusCode"] == 404
    assert _ask(world, "DELETE", path, DEMO)["statusCode"] == 404


def test_a_service_exports_all_users(world: FunctionsWorld) -> None:
    """Each user has files and an audit entry; a user without readings has neither."""
    log_in("carol")
    path = _order(world, "/api/exports", SERVICE, {"users": "all", "format": "csv"})
    _work(world)
    shown = _shown(world, path, SERVICE)

    assert {file["user_id"] for file in shown["files"]} == {"demo"}
    assert (shown["manifest"]["users"], shown["manifest"]["url"]) == (1, None)
    assert (_opened(shown["files"][0]["url"]) or b"").startswith(b"user,time,")
    actions = [entry.action for entry in part(store_parts.audit).newest_first("demo")]
    assert actions == ["POST /api/exports"]
    assert list(part(store_parts.audit).newest_first("carol")) == []
    assert _ask(world, "DELETE", path, SERVICE)["statusCode"] == 204
    assert _opened(shown["files"][0]["url"]) is None


def test_an_export_is_shown_to_its_owner_only(world: FunctionsWorld) -> None:
    """A service sees an export about one user, and of those about many only its own."""
    of_user = _order(world, "/api/bg/demo/exports", DEMO)
    of_many = _order(world, "/api/exports", SERVICE, {"users": ["demo"]})

    assert _ask(world, "GET", of_user, SERVICE)["statusCode"] == 200
    assert _ask(world, "GET", of_user, {"sub": "eve"})["statusCode"] == 403
    assert _ask(world, "GET", of_many, DEMO)["statusCode"] == 403
    assert _ask(world, "POST", "/api/exports", DEMO, {"users": ["demo"]})["statusCode"] == 403
    for method in ("GET", "DELETE"):
        assert _ask(world, method, of_many, OTHER_SERVICE)["statusCode"] == 404
    export_id = of_many.rpartition("/")[2]
    assert _ask(world, "GET", f"/api/bg/demo/exports/{export_id}", DEMO)["statusCode"] == 404


def test_an_erasure_ends_every_link_to_the_user(world: FunctionsWorld) -> None:
    """The user's own export is unknown, and an export of many no longer lists the user."""
    own = _order(world, "/api/bg/demo/exports", DEMO)
    many = _order(world, "/api/exports", SERVICE, {"users": "all"})
    _work(world)
    links = [
        file["url"]
        for path, who in ((own, DEMO), (many, SERVICE))
        for file in _shown(world, path, who)["files"]
    ]
    assert all(map(_opened, links))

    assert _ask(world, "DELETE", "/api/bg/demo", DEMO)["statusCode"] == 200
    assert not any(map(_opened, links))
    assert _ask(world, "GET", own, DEMO)["statusCode"] == 404
    shown = _shown(world, many, SERVICE)
    assert shown["files"] == []
    assert [shown["manifest"][name] for name in ("users", "files", "rows", "bytes")] == [0] * 4
    assert "Contents" not in s3_client(REGION).list_objects_v2(Bucket="exports")
    assert part(eraser).receipts.newest("demo").removed["exports"] == 1  # type: ignore[union-attr]


def test_pages_of_an_export_follow_the_link(world: FunctionsWorld) -> None:
    """A page ends with the user who reaches the limit; a foreign cursor is invalid."""
    path = _order(world, "/api/exports", SERVICE, {"users": ["demo", "demo"]})
    _work(world)
    answer = _ask(world, "GET", f"{path}?limit=1", SERVICE)

    assert "Link" not in answer["headers"]
    assert json.loads(answer["body"])["files"]
    assert _ask(world, "GET", f"{path}?cursor=%20", SERVICE)["statusCode"] == 422
    assert _ask(world, "GET", f"{path}?limit=0", SERVICE)["statusCode"] == 422


def test_the_fourth_unfinished_export_is_409(world: FunctionsWorld) -> None:
    """The problem says what to do; another owner is not affected."""
    for _ in range(3):
        _order(world, "/api/bg/demo/exports", DEMO)
    answer = _ask(world, "POST", "/api/bg/demo/exports", DEMO)

    assert answer["statusCode"] == 409
    assert json.loads(answer["body"])["type"].endswith("/too-many-exports")
    _order(world, "/api/exports", SERVICE, {"users": ["demo"]})
    _work(world)
    _order(world, "/api/bg/demo/exports", DEMO)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"format": "xlsx"}, "format"),
        ({"grid": "1min"}, "grid"),
        ({"columns": "excel"}, "columns"),
        ({"as_of": "2099-01-01T00:00:00Z"}, "as_of"),
        ({"from": "yesterday"}, "from"),
        ({"from": "1969-01-01T00:00:00Z", "to": "1970-01-02T00:00:00Z"}, "from"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, "from"),
        ({"until": "2026-01-01T00:00:00Z"}, "until"),
        ({"users": "all"}, "users"),
    ],
)
def test_an_invalid_member_of_an_order_is_named(world: FunctionsWorld, body: Any, named: str) -> None:
    """The answer is 422, and nothing is queued."""
    answer = _ask(world, "POST", "/api/bg/demo/exports", DEMO, body)

    assert answer["statusCode"] == 422
    assert [error["field"] for error in json.loads(answer["body"])["errors"]] == [named]


def test_a_span_above_ten_years_is_too_long(world: FunctionsWorld) -> None:
    """The limit is longer than any retention."""
    answer = _ask(world, "POST", "/api/bg/demo/exports", DEMO, {"from": "1990-01-01T00:00:00Z"})

    assert json.loads(answer["body"])["type"].endswith("/range-too-long")


@pytest.mark.parametrize("users", [[], ["a b"], "some", ["a"] * 1_001, None])
def test_invalid_users_of_an_order_are_named(world: FunctionsWorld, users: Any) -> None:
    """The users are `all`, or up to a thousand ids."""
    answer = _ask(world, "POST", "/api/exports", SERVICE, {"users": users})

    assert answer["statusCode"] == 422
    assert {error["field"] for error in json.loads(answer["body"])["errors"]} == {"users"}


def test_an_export_that_keeps_failing_is_failed(world: FunctionsWorld) -> None:
    """At the last delivery the export ends as failed, and the message goes to the dead letters."""
    path = _order(world, "/api/bg/demo/exports", DEMO)
    sqs = aws_clients.sqs(REGION)
    (message,) = sqs.receive_message(QueueUrl=process().settings.exports_queue_url)["Messages"]
    event = world.event("exporter_slice")
    event["Records"][0] |= {"body": message["Body"], "receiptHandle": message["ReceiptHandle"]}
    client = s3_client(REGION)
    objects = client.list_objects_v2(Bucket="exports").get("Contents", [])
    assert objects == []
    client.delete_bucket(Bucket="exports")
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"
    assert len(world.invoke("exporter", event)["batchItemFailures"]) == 1

    assert _shown(world, path, DEMO)["status"] == "failed"


def test_an_unreadable_message_stays_in_the_queue(world: FunctionsWorld) -> None:
    """It becomes a dead letter, which an alarm reports."""
    event = world.event("exporter_slice")
    event["Records"][0]["body"] = "{}"

    assert len(world.invoke("exporter", event)["batchItemFailures"]) == 1
