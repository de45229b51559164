"""The service's DynamoDB client and botocore's own give the same items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bg_ingest.dynamo import Table, from_attributes
from bg_ingest.wiring.aws import aws_clients

if TYPE_CHECKING:
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
def tables_of_both(readings_table: Table) -> tuple[Table, Table]:
    """One table, by the service's client and by boto3's."""
    meta = readings_table.client.meta
    return Table(
        aws_clients.dynamodb(meta.region_name, meta.endpoint_url), readings_table.name
    ), readings_table


def test_items_come_back_as_they_were_stored(tables_of_both: tuple[Table, Table]) -> None:
    """By every operation, of every type that is stored."""
    ours, theirs = tables_of_both
    ours.put(ITEM)

    assert ours.get("ada", ITEM["sk"]) == theirs.get("ada", ITEM["sk"]) == ITEM
    assert list(ours.query("pk = :pk", {":pk": "ada"})) == [ITEM]
    assert ours.update("ada", ITEM["sk"], "SET yes = :no", {":no": False}).item == ITEM | {"yes": False}
    assert ours.put(ITEM, "attribute_not_exists(pk)").item == ITEM | {"yes": False}
    assert ours.delete("ada", ITEM["sk"]).item == ITEM | {"yes": False}
    assert ours.get("ada", ITEM["sk"]) is None


def test_the_answer_has_its_metadata(tables_of_both: tuple[Table, Table]) -> None:
    """The status, the headers and the request id, as with botocore's own parser."""

    def answer(client: DynamoDBClient) -> Any:
        return client.query(
            TableName="readings",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "ada"}},
        )

    tables_of_both[1].put(ITEM)
    ours, theirs = (answer(table.client) for table in tables_of_both)
    assert ours["ResponseMetadata"].keys() == theirs["ResponseMetadata"].keys()
    assert (ours["Count"], ours["ScannedCount"]) == (theirs["Count"], theirs["ScannedCount"])
    assert list(map(from_attributes, ours["Items"])) == [ITEM]


def test_errors_are_parsed_by_botocore(tables_of_both: tuple[Table, Table]) -> None:
    """They have their code and their operation."""
    ours, _ = tables_of_both
    with pytest.raises(ClientError) as error:
        list(ours.query("nothing = :pk", {":pk": "ada"}))

    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert ours.is_active()
