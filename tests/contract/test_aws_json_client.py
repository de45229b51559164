"""The service's DynamoDB client and botocore's own give the same items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bg_ingest.aws import aws_clients
from bg_ingest.dynamo import Change, Table, from_attributes
from tests.support.aws_in_process import aws_in_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

ITEM: dict[str, Any] = {
    "pk": "ada",
    "sk": "2026-04-26T12",
    "bytes": b"\x00\xff",
    "text": "é\N{DROPLET}",
    "number": -17,
    "nothing": None,
    "yes": True,
    "deep": {"list": [1, b"a", {"more": []}]},
}


@pytest.fixture
def tables_of_both(readings_table: Table, request: pytest.FixtureRequest) -> Iterator[tuple[Table, Table]]:
    """One table, by the service's client and by boto3's."""
    meta = readings_table.client.meta
    if request.config.getoption("--integration"):  # DynamoDB Local, over HTTP.
        aws_clients.client_of.cache_clear()
        client = aws_clients.dynamodb(meta.region_name, meta.endpoint_url)
        yield Table(client, readings_table.name), readings_table
        return
    with aws_in_process():
        yield Table(aws_clients.dynamodb(meta.region_name), readings_table.name), readings_table


def test_items_come_back_as_they_were_stored(tables_of_both: tuple[Table, Table]) -> None:
    """By every operation, of every type that is stored."""
    ours, theirs = tables_of_both
    ours.put(ITEM)

    assert ours.get("ada", ITEM["sk"]) == theirs.get("ada", ITEM["sk"]) == ITEM
    assert list(ours.query("pk = :pk", {":pk": "ada"})) == [ITEM]
    assert ours.get_all([("ada", ITEM["sk"])], ["deep"]) == [{"deep": ITEM["deep"]}]
    assert ours.update("ada", ITEM["sk"], "SET yes = :no", {":no": False}).item == ITEM | {"yes": False}
    assert ours.put(ITEM, "attribute_not_exists(pk)").item == ITEM | {"yes": False}
    assert ours.delete("ada", ITEM["sk"]).item == ITEM | {"yes": False}
    assert ours.get("ada", ITEM["sk"]) is None


def test_a_refused_transaction_names_its_reasons(tables_of_both: tuple[Table, Table]) -> None:
    """So that a condition which did not hold is not taken for a conflict."""
    ours, theirs = tables_of_both
    ours.put(ITEM)
    another = Change("ada", "another", item={"pk": "ada", "sk": "another"})
    refused = Change("ada", ITEM["sk"], item=ITEM, condition="attribute_not_exists(pk)")

    assert not ours.transact([another, refused])
    assert theirs.get("ada", "another") is None
    assert ours.transact([another])
    assert theirs.get("ada", "another") == another.item


def test_the_answer_has_its_metadata(tables_of_both: tuple[Table, Table]) -> None:
    """The status, the headers and the request id, as botocore names them."""

    def answer(client: DynamoDBClient) -> Any:
        return client.query(
            TableName="readings",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "ada"}},
        )

    tables_of_both[1].put(ITEM)
    ours, theirs = (answer(table.client) for table in tables_of_both)
    assert ours["ResponseMetadata"].keys() <= theirs["ResponseMetadata"].keys()
    assert ours["ResponseMetadata"]["HTTPStatusCode"] == theirs["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (ours["Count"], ours["ScannedCount"]) == (theirs["Count"], theirs["ScannedCount"])
    assert list(map(from_attributes, ours["Items"])) == [ITEM]


def test_errors_are_those_of_botocore(tables_of_both: tuple[Table, Table]) -> None:
    """They have the same code, message and operation."""
    errors = []
    for table in tables_of_both:
        with pytest.raises(ClientError) as error:
            list(table.query("nothing = :pk", {":pk": "ada"}))
        errors.append((error.value.response["Error"], error.value.operation_name))

    assert errors[0] == errors[1]
    assert errors[0][0]["Code"] == "ValidationException"
    assert tables_of_both[0].is_active()
