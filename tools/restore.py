"""
Copies lost items from a restored DynamoDB table into the live table: `python -m tools.restore --help`.

DynamoDB restores into a new table. The functions, roles and stream of the stack use the old one, the live
table. So this tool copies lost items back into the live table, one by one, with conditional writes:

    in the restored table       in the live table   result
    --------------------------  ------------------  --------------------------------------------------------
    expired                     -                   not copied: retention applies to copies too
    of a user erased since      -                   not copied: erased data stays erased
    any item                    missing             written, unless another process writes it meanwhile
    an hour of --repair-before  different           written with the next version, unless another process
                                                    changes it meanwhile
    any other item              different           not copied: the live item is usually newer
    any item                    the same            not copied

What a user's last poll found out about the stored readings is not copied, and with --users it is removed: the
next poll looks for gaps in the hours themselves.

The intake table is not restored, and has no backups. Its items expire soon, and a webhook that is received
twice is stored once. A backup would keep the keys of messages that an erasure has removed.

The service can run meanwhile. The tool can be run again. Without --write it only counts. It prints numbers
and no health data.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from bg_ingest.accounts.connection import SK as CONNECTION
from bg_ingest.clock import SystemClock
from bg_ingest.erasing.receipt import PREFIX as RECEIPT
from bg_ingest.sync.state import COVERED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

RawItem = dict[str, Any]

SEGMENTS = 8  # Segments of the restored table that are copied in parallel.
# Items of the application itself are not restored: quotas, breakers and dispatched minutes of the past.
_APPLICATION_PREFIX = "app#"


@dataclass(frozen=True, slots=True)
class Recovery:
    """One run: the two tables, the users to restore, and whether to write."""

    client: DynamoDBClient
    restored: str
    live: str
    now_s: int
    write: bool = False
    # For readings: the live users table, and the restored point in time. Only users who have been connected
    # since before that time get readings back. A user who was erased later has no connection that old.
    users: str | None = None
    at_s: int = 0
    repair_before: str | None = None  # Different hours before this one are replaced: 2026-11-18T00.
    leave_out: frozenset[str] = frozenset()
    erased: set[str] = field(default_factory=set)  # Users who were erased since the restored point in time.
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> Counter[str]:
        """Scan the restored table once and return the number of items by result."""
        known = set(self._connected_users()) if self.users else None
        if self.users is None:
            self.erased.update(self._erased_users())
        with ThreadPoolExecutor(SEGMENTS) as threads:
            for counts in threads.map(lambda segment: self._segment(segment, known), range(SEGMENTS)):
                self.counts.update(counts)
        if self.users and self.write:
            self._let_polls_read_hours(self.users)
        return self.counts

    def _let_polls_read_hours(self, users: str) -> None:
        """Let the next poll of each user look for gaps in the hours: some readings may still be missing."""
        # A sync that runs now has read the hours before. With another fence it cannot say what is stored. A
        # lease stays until it expires: without it, a second sync could use the same refresh token.
        for item in self._scan(
            users,
            FilterExpression="attribute_exists(fence)",
            ProjectionExpression="pk, sk",
        ):
            try:
                self.client.update_item(
                    TableName=users,
                    Key=item,
                    UpdateExpression=f"SET fence = fence + :one REMOVE {COVERED}",
                    ConditionExpression="attribute_exists(fence)",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
            except self.client.exceptions.ConditionalCheckFailedException:
                continue  # The user has been erased meanwhile.

    def _connected_users(self) -> Iterator[str]:
        assert self.users is not None  # noqa: S101 - the caller has checked it.
        for item in self._scan(self.users, ProjectionExpression="pk, sk, generation"):
            # The first generation of a connection is the second of its first login (`next_generation`).
            if item["sk"]["S"] == CONNECTION and int(item["generation"]["N"]) <= self.at_s:
                yield item["pk"]["S"]

    def _erased_users(self) -> Iterator[str]:
        """The users whose receipt is missing in the restored table, or was completed since."""
        for receipt in self._scan(
            self.live,
            FilterExpression="begins_with(sk, :receipt)",
            ExpressionAttributeValues={":receipt": {"S": RECEIPT}},
        ):
            key = {"pk": receipt["pk"], "sk": receipt["sk"]}
            restored = self.client.get_item(TableName=self.restored, Key=key, ConsistentRead=True)
            if restored.get("Item") != receipt:
                yield receipt["pk"]["S"]

    def _segment(self, segment: int, known: set[str] | None) -> Counter[str]:
        items = self._scan(self.restored, Segment=segment, TotalSegments=SEGMENTS)
        return Counter(self._restore(item, known) for item in items)

    def _scan(self, table: str, **how: Any) -> Iterator[RawItem]:
        pages = self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **how)
        for page in pages:
            yield from page["Items"]

    def _restore(self, item: RawItem, known: set[str] | None) -> str:
        """Restore one item if needed, and return the result in a few words."""
        return self._exclusion(item, known) or self._compare(item)

    def _exclusion(self, item: RawItem, known: set[str] | None) -> str | None:
        user_id = item["pk"]["S"]
        if "expires_at" in item and int(item["expires_at"]["N"]) <= self.now_s:
            return "expired"
        if user_id.startswith(_APPLICATION_PREFIX):
            return "of the application itself"
        # The partitions `audit#ada`, `grant#ada` and `late#ada` are ada's, too.
        user_id = user_id.rpartition("#")[2]
        if (
            user_id in self.leave_out
            or user_id in self.erased
            or (known is not None and user_id not in known)
        ):
            return "of erased users"
        return None

    def _compare(self, item: RawItem) -> str:
        key = {"pk": item["pk"], "sk": item["sk"]}
        live = self.client.get_item(TableName=self.live, Key=key, ConsistentRead=True).get("Item")
        if live is None:
            lost = {name: value for name, value in item.items() if name != COVERED}
            return self._write("missing", lost, ConditionExpression="attribute_not_exists(pk)")
        if _content(live) == _content(item):
            return "the same"
        if self.repair_before is None or item["sk"]["S"] >= self.repair_before:
            return "different, not copied"
        # The next version after the live one, because consumers distinguish events by it.
        seen = live["version"]
        return self._write(
            "different",
            item | {"version": {"N": str(int(seen["N"]) + 1)}},
            ConditionExpression="version = :seen",
            ExpressionAttributeValues={":seen": seen},
        )

    def _write(self, result: str, item: RawItem, **condition: Any) -> str:
        if not self.write:
            return f"{result}, not written yet"
        try:
            self.client.put_item(TableName=self.live, Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return f"{result}, but changed meanwhile"
        return f"{result}, written"


def _content(item: RawItem) -> RawItem:
    """An item without its version and its expiry time."""
    return {name: value for name, value in item.items() if name not in {"version", "expires_at"}}


def main(arguments: Sequence[str] | None = None, client: DynamoDBClient | None = None) -> int:
    """Run the command with the AWS credentials of the shell."""
    parsed = _parser().parse_args(arguments)
    if (parsed.users is None) != (parsed.at is None) or (parsed.repair_before and not parsed.users):
        _parser().error("--users and --at belong together, and --repair-before needs both")
    counts = Recovery(
        client or boto3.client("dynamodb", config=Config(max_pool_connections=SEGMENTS)),  # noqa: TID251 - an operator's tool, not the service.
        restored=parsed.restored,
        live=parsed.live,
        now_s=int(SystemClock().now().timestamp()),
        write=parsed.write,
        users=parsed.users,
        at_s=int(parsed.at.timestamp()) if parsed.at else 0,
        repair_before=parsed.repair_before,
        leave_out=frozenset(parsed.leave_out),
    ).run()
    for result, count in sorted(counts.items()):
        print(f"{count:>10}  {result}")
    return 0


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("must be a time with a zone, such as 2026-11-18T09:30:00Z")
    return instant


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.restore", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("restored", help="the table that DynamoDB restored")
    parser.add_argument("live", help="the table of the stack")
    parser.add_argument(
        "--users", help="for readings: the users table of the stack, which shows the erased users"
    )
    parser.add_argument("--at", type=_instant, help="for readings: the restored point in time, with a zone")
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="USER", help="copy no items of this user"
    )
    parser.add_argument("--repair-before", metavar="HOUR", help="replace different hours before this one")
    parser.add_argument(
        "--write", action="store_true", help="write to the live table; without it the tool only counts"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
