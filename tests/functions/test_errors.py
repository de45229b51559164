"""Responses to invalid requests and to failures of AWS."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.functions import api_document

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functions.conftest import FunctionsWorld


def test_an_internal_error_hides_its_cause_from_the_caller(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The response has a correlation id only; the log has the AWS operation and code, and no user id."""
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
def busy_world(world: FunctionsWorld) -> FunctionsWorld:
    """DynamoDB refuses every call."""
    refusal: Any = {"Error": {"Code": "ProvisionedThroughputExceededException"}}

    def refuse(target: str, *_: Any) -> None:
        if target.startswith("DynamoDB"):
            raise ClientError(refusal, "Query")

    world.aws.watchers.append(refuse)
    return world


@pytest.mark.parametrize(
    ("function", "name", "path"),
    [
        ("query", "query_latest", "/api/bg/{userId}/latest"),
        ("sync", "sync_state", "/api/bg/{userId}/sync"),
        ("connect", "connect_state", "/api/bg/{userId}/connection"),
    ],
)
def test_a_throttled_table_is_503_with_retry_after(
    busy_world: FunctionsWorld, function: str, name: str, path: str
) -> None:
    """Every function says when to retry, as the OpenAPI document describes it."""
    answer = busy_world.invoke(function, busy_world.event(name))

    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "5")
    assert json.loads(answer["body"])["type"].endswith("/temporarily-unavailable")
    api_document.check("GET", path, answer)


def test_an_error_names_known_fields_only(world: FunctionsWorld) -> None:
    """A name that the caller invented may be personal data, so the response does not repeat it."""
    event = world.event("sync_start", body='{"my glucose is 301": 1, "from": 7}')
    answer = world.invoke("sync", event)

    assert answer["statusCode"] == 422
    assert "301" not in answer["body"]
    assert "from" in {fault["field"] for fault in json.loads(answer["body"])["errors"]}


@pytest.mark.parametrize(
    "body", ["not json", "[]", "[null]", "[{}]", '"text"', "7", '{"from": null, "to": []}', "{"]
)
def test_an_invalid_body_is_422(world: FunctionsWorld, body: str) -> None:
    """Text, a list, a number, a wrong type or an unfinished object."""
    assert world.invoke("sync", world.event("sync_start", body=body))["statusCode"] == 422


@pytest.mark.parametrize("body", ["[" * 50_000, '{"from": ' * 50_000, "9" * 5_000, b"\xff"])
def test_an_unreadable_body_is_422(world: FunctionsWorld, body: str | bytes) -> None:
    """Nested too deeply, a number too long, or not UTF-8."""
    text = body if isinstance(body, str) else base64.b64encode(body).decode()
    event = world.event("sync_start", body=text, isBase64Encoded=isinstance(body, bytes))
    answer = world.invoke("sync", event)

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["errors"] == [{"field": "body", "reason": "JSON decode error"}]


def test_a_base64_body_is_decoded(world: FunctionsWorld) -> None:
    """The gateway encodes a body whose Content-Type is not a text type."""
    body = base64.b64encode(b'{"from": 7}').decode()
    answer = world.invoke("sync", world.event("sync_start", body=body, isBase64Encoded=True))

    assert [fault["field"] for fault in json.loads(answer["body"])["errors"]] == ["from"]


def test_a_body_that_is_a_list_must_be_an_object(world: FunctionsWorld) -> None:
    """The reason does not name a Python class."""
    answer = world.invoke("sync", world.event("sync_start", body="[]"))

    reason = "Input should be an object"
    assert json.loads(answer["body"])["errors"] == [{"field": "body", "reason": reason}]


def test_a_number_with_an_underscore_is_422(world: FunctionsWorld) -> None:
    """Python reads `5_0` as 50; the API does not, and says so."""
    answer = world.invoke("sync", world.event("sync_jobs", queryStringParameters={"limit": "5_0"}))

    reason = "Input should be a whole number, in digits"
    assert json.loads(answer["body"])["errors"] == [{"field": "limit", "reason": reason}]


def test_content_type_of_a_json_body_is_ignored(world: FunctionsWorld) -> None:
    """`curl -d` labels every body as a form."""
    event = world.event("sync_start_async")
    event["headers"] |= {"content-type": "application/x-www-form-urlencoded"}
    job = json.loads(world.invoke("sync", event)["body"])

    assert job["window"] == {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}


@pytest.mark.parametrize("name", ["abc\r\nX-Evil: 1", "x" * 129, "", "ä", " "])
def test_an_invalid_correlation_id_is_replaced(world: FunctionsWorld, name: str) -> None:
    """An id with a line break, or one too long, must not reach a header or the log."""
    event = world.event("site_health")
    event["headers"] |= {"x-correlation-id": name}
    answer = world.invoke("site", event)

    assert answer["headers"]["X-Correlation-ID"] == event["requestContext"]["requestId"]


def test_traceparent_is_the_second_choice_of_correlation_id(world: FunctionsWorld) -> None:
    """It is used without an X-Correlation-ID; the request id of the gateway is the third choice."""
    event = world.event("site_health")
    event["headers"] = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    assert world.invoke("site", event)["headers"]["X-Correlation-ID"] == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("setting", "table"),
    [
        ("DYNAMODB_TABLE", "readings table"),
        ("USERS_TABLE", "users table"),
        ("INTAKE_TABLE", "intake table"),
    ],
)
def test_ready_names_the_failing_table(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, setting: str, table: str
) -> None:
    """The response is 503 with the name of the table."""
    world.restarted(monkeypatch, **{setting: "no-such-table"})
    answer = world.invoke("site", world.event("site_ready"))

    assert (answer["statusCode"], json.loads(answer["body"])["failing"]) == (503, table)
