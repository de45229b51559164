"""What happens to a request that goes wrong."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bg_ingest.wiring import aws_clients
from tests.functions import described

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functions.conftest import World


def test_our_own_fault_is_a_problem_without_a_trace(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The caller gets an id; the log gets what and where, and nothing of what was in the request."""
    log = tmp_path / "log"
    world.restarted(monkeypatch, LOG_OUTPUT=f"file:{log}", DYNAMODB_TABLE="no-such-table")
    answer = world.invoke("query", world.event("query_latest"))

    assert answer["statusCode"] == 500
    assert "Traceback" not in answer["body"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (failed,) = [line for line in lines if line["message"] == "request failed"]
    assert failed["correlation_id"] == json.loads(answer["body"])["instance"]
    assert (failed["aws_operation"], failed["aws_code"]) == ("Query", "ResourceNotFoundException")
    assert "demo" not in log.read_text()


@pytest.fixture
def busy_world(world: World) -> Iterator[World]:
    """DynamoDB refuses every call, after all that botocore tried."""
    refusal: Any = {"Error": {"Code": "ProvisionedThroughputExceededException"}}

    def refuse(**_: Any) -> None:
        raise ClientError(refusal, "Query")

    every = ("before-call.dynamodb", refuse)
    aws_clients.dynamodb().meta.events.register(*every)
    yield world
    aws_clients.dynamodb().meta.events.unregister(*every)


@pytest.mark.parametrize(
    ("function", "name", "path"),
    [
        ("query", "query_latest", "/api/bg/{userId}/latest"),
        ("sync", "sync_state", "/api/bg/{userId}/sync"),
        ("connect", "connect_state", "/api/bg/{userId}/connection"),
    ],
)
def test_a_table_that_is_too_busy_is_worth_another_try(
    busy_world: World, function: str, name: str, path: str
) -> None:
    """Every function tells its caller when to come back, as it is described."""
    answer = busy_world.invoke(function, busy_world.event(name))

    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "5")
    assert json.loads(answer["body"])["type"].endswith("/temporarily-unavailable")
    described.check("GET", path, answer)


def test_a_fault_names_the_field_and_not_what_was_in_it(world: World) -> None:
    """Whatever was sent in the place of a name stays out of the answer."""
    event = world.event("sync_start", body='{"my glucose is 301": 1, "from": 7}')
    answer = world.invoke("sync", event)

    assert answer["statusCode"] == 422
    assert "301" not in answer["body"]
    assert "from" in {fault["field"] for fault in json.loads(answer["body"])["errors"]}


@pytest.mark.parametrize("body", ["not json", "[]", '"text"', "7", '{"from": null, "to": []}', "{"])
def test_a_body_that_is_no_request_is_refused(world: World, body: str) -> None:
    """422, whatever it is."""
    assert world.invoke("sync", world.event("sync_start", body=body))["statusCode"] == 422


@pytest.mark.parametrize("body", ["[" * 50_000, '{"from": ' * 50_000, "9" * 5_000, b"\xff"])
def test_a_body_that_no_reader_takes_is_refused(world: World, body: str | bytes) -> None:
    """Nested or numbered without end, or no text at all."""
    text = body if isinstance(body, str) else base64.b64encode(body).decode()
    event = world.event("sync_start", body=text, isBase64Encoded=isinstance(body, bytes))
    answer = world.invoke("sync", event)

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"] == [{"field": "body", "reason": "JSON decode error"}]


def test_a_body_may_come_as_base64(world: World) -> None:
    """What is not labelled as text is JSON all the same."""
    body = base64.b64encode(b'{"from": 7}').decode()
    answer = world.invoke("sync", world.event("sync_start", body=body, isBase64Encoded=True))

    assert [fault["field"] for fault in json.loads(answer["body"])["errors"]] == ["from"]


def test_a_body_that_is_no_object_is_told_so_in_plain_words(world: World) -> None:
    """Not in those of a library, with the name of a class."""
    answer = world.invoke("sync", world.event("sync_start", body="[]"))

    reason = "Input should be an object"
    assert json.loads(answer["body"])["errors"] == [{"field": "body", "reason": reason}]


def test_a_number_that_only_python_reads_is_told_so_in_plain_words(world: World) -> None:
    """Nor in those of a library."""
    answer = world.invoke("sync", world.event("sync_jobs", queryStringParameters={"limit": "5_0"}))

    reason = "Input should be a whole number, in digits"
    assert json.loads(answer["body"])["errors"] == [{"field": "limit", "reason": reason}]


def test_a_body_is_json_whatever_it_is_called(world: World) -> None:
    """Curl's -d calls everything a form."""
    event = world.event("sync_start_async")
    event["headers"] |= {"content-type": "application/x-www-form-urlencoded"}
    job = json.loads(world.invoke("sync", event)["body"])

    assert job["window"] == {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}


@pytest.mark.parametrize("name", ["abc\r\nX-Evil: 1", "x" * 129, "", "ä", " "])
def test_a_correlation_id_that_cannot_be_is_replaced(world: World, name: str) -> None:
    """It goes into a header and into the log, so not everything may be one."""
    event = world.event("site_health")
    event["headers"] |= {"x-correlation-id": name}
    answer = world.invoke("site", event)

    assert answer["headers"]["X-Correlation-ID"] == event["requestContext"]["requestId"]


def test_a_trace_gives_the_id_where_there_is_no_other(world: World) -> None:
    """W3C's traceparent comes second, the gateway's request id third."""
    event = world.event("site_health")
    event["headers"] = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    assert world.invoke("site", event)["headers"]["X-Correlation-ID"] == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_ready_names_the_part_that_is_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the failing table."""
    world.restarted(monkeypatch, USERS_TABLE="no-such-table")
    answer = world.invoke("site", world.event("site_ready"))

    assert (answer["statusCode"], json.loads(answer["body"])["failing"]) == (503, "users table")
