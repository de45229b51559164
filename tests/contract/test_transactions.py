"""Transactions of the users table: all changes or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from bg_ingest.dynamo import Change, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PUT = Change("ada", "b", item={"pk": "ada", "sk": "b", "count": 1})
ADD = Change("ada", "a", "SET count_of = count_of + :one", {":one": 1}, condition="attribute_exists(pk)")
REMOVE = Change("ada", "c", condition="attribute_exists(pk)")


def test_every_kind_of_change_is_made(users_table: Table) -> None:
    """One item is stored, one changed and one removed."""
    users_table.put({"pk": "ada", "sk": "a", "count_of": 1})
    users_table.put({"pk": "ada", "sk": "c"})

    assert users_table.transact([PUT, ADD, REMOVE])
    assert users_table.get("ada", "a") == {"pk": "ada", "sk": "a", "count_of": 2}
    assert users_table.get("ada", "b") == PUT.item
    assert users_table.get("ada", "c") is None


def test_one_refused_condition_refuses_all(users_table: Table) -> None:
    """The item to remove does not exist, so nothing is stored or changed."""
    users_table.put({"pk": "ada", "sk": "a", "count_of": 1})

    assert not users_table.transact([PUT, ADD, REMOVE])
    assert users_table.get("ada", "a") == {"pk": "ada", "sk": "a", "count_of": 1}
    assert users_table.get("ada", "b") is None


@dataclass
class _Cancelling:
    """A client whose first transactions are cancelled for a reason."""

    reason: str
    times: int
    tries: list[Any] = field(default_factory=list)

    def transact_write_items(self, **request: Any) -> None:
        """Cancel the first transactions, and accept the others."""
        self.tries.append(request)
        if len(self.tries) <= self.times:
            error: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
            reasons = {"CancellationReasons": [{"Code": "None"}, {"Code": self.reason}]}
            raise ClientError(error | reasons, "TransactWriteItems")


@pytest.mark.parametrize(
    ("reason", "times", "tries"),
    [("TransactionConflict", 3, 4), ("TransactionConflict", 9, 4), ("ThrottlingError", 9, 1)],
)
def test_a_transaction_conflict_is_retried(reason: str, times: int, tries: int) -> None:
    """A conflict is retried three times and then raised; other reasons are raised at once."""
    client = _Cancelling(reason, times)
    table = Table(cast("DynamoDBClient", client), "users")
    if times < tries:
        assert table.transact([PUT])
    else:
        with pytest.raises(ClientError):
            table.transact([PUT])

    assert len(client.tries) == tries
