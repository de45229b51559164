"""
Brings back from a restored table what the live one has lost: `python -m tools.restore --help`.

DynamoDB restores into a new table and never into the one that is in use, and the stack's functions, roles and
stream belong to that one. So what was lost is copied back into it, item by item and by conditions alone:

    in the restored table        in the live table      what happens
    ---------------------------  ---------------------  ------------------------------------------------
    expired                      -                      nothing: retention holds for copies as well
    of somebody who was erased   -                      nothing: who is erased stays erased
    an hour or an item           not there              written, unless it came back meanwhile
    an hour, until --repair      different              written with the next version, unless it changed
    an hour or an item           different              nothing: the live one is newer, as a rule
    an hour or an item           the same               nothing

Running it again is harmless, and running it without --write only counts. The service may go on meanwhile.
It prints numbers and no one's data.
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

RawItem = dict[str, Any]

SEGMENTS = 8  # Parts of the restored table that are read and copied at the same time.
# The application's own items: the quota of an hour gone by, an old breaker, a minute that was dispatched.
_OF_THE_APPLICATION = "app#"


@dataclass(frozen=True, slots=True)
class Recovery:
    """From which table to which, for whom, and whether anything is written at all."""

    client: DynamoDBClient
    restored: str
    live: str
    now_s: int
    write: bool = False
    # For readings: the live users table, and the second that was restored. Only who is known there since
    # before then gets something back: whoever was erased meanwhile is gone, or has come anew.
    users: str | None = None
    at_s: int = 0
    repair_before: str | None = None  # Different hours before this one are replaced as well: 2026-11-18T00.
    leave_out: frozenset[str] = frozenset()
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> Counter[str]:
        """Go through the restored table once; what became of its items."""
        known = set(self._known()) if self.users else None
        with ThreadPoolExecutor(SEGMENTS) as threads:
            for counts in threads.map(lambda segment: self._segment(segment, known), range(SEGMENTS)):
                self.counts.update(counts)
        return self.counts

    def _known(self) -> Iterator[str]:
        assert self.users is not None  # noqa: S101 - asked for only then.
        for item in self._scan(self.users, ProjectionExpression="pk, sk, generation"):
            # A connection's generations count up from the second of the first login (Connections.save_new).
            if item["sk"]["S"] == CONNECTION and int(item["generation"]["N"]) <= self.at_s:
                yield item["pk"]["S"]

    def _segment(self, segment: int, known: set[str] | None) -> Counter[str]:
        items = self._scan(self.restored, Segment=segment, TotalSegments=SEGMENTS)
        return Counter(self._recovered(item, known) for item in items)

    def _scan(self, table: str, **how: Any) -> Iterator[RawItem]:
        pages = self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **how)
        for page in pages:
            yield from page["Items"]

    def _recovered(self, item: RawItem, known: set[str] | None) -> str:
        """One item's lot, in a few words."""
        return self._stays_lost(item, known) or self._compared(item)

    def _stays_lost(self, item: RawItem, known: set[str] | None) -> str | None:
        user_id = item["pk"]["S"]
        if "expires_at" in item and int(item["expires_at"]["N"]) <= self.now_s:
            return "expired"
        if user_id.startswith(_OF_THE_APPLICATION):
            return "the application's own"
        if user_id in self.leave_out or (known is not None and user_id not in known):
            return "of people who were erased"
        return None

    def _compared(self, item: RawItem) -> str:
        key = {"pk": item["pk"], "sk": item["sk"]}
        live = self.client.get_item(TableName=self.live, Key=key, ConsistentRead=True).get("Item")
        if live is None:
            return self._written("missing", item, ConditionExpression="attribute_not_exists(pk)")
        if _content(live) == _content(item):
            return "the same"
        if self.repair_before is None or item["sk"]["S"] >= self.repair_before:
            return "different, left alone"
        # The version goes on from the live one's: events are told apart by it.
        seen = live["version"]
        return self._written(
            "different",
            item | {"version": {"N": str(int(seen["N"]) + 1)}},
            ConditionExpression="version = :seen",
            ExpressionAttributeValues={":seen": seen},
        )

    def _written(self, lot: str, item: RawItem, **condition: Any) -> str:
        if not self.write:
            return f"{lot}, not written yet"
        try:
            self.client.put_item(TableName=self.live, Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return f"{lot}, but changed meanwhile"
        return f"{lot}, written"


def _content(item: RawItem) -> RawItem:
    """What an item says, but for how often it was written and when it ends."""
    return {name: value for name, value in item.items() if name not in {"version", "expires_at"}}


def main(arguments: Sequence[str] | None = None, client: DynamoDBClient | None = None) -> int:
    """Do what was asked, with the AWS credentials of the shell."""
    asked = _parser().parse_args(arguments)
    if (asked.users is None) != (asked.at is None) or (asked.repair_before and not asked.users):
        _parser().error("--users and --at belong together, and --repair-before needs both")
    counts = Recovery(
        client or boto3.client("dynamodb", config=Config(max_pool_connections=SEGMENTS)),  # noqa: TID251 - a person's own tool, not the service.
        restored=asked.restored,
        live=asked.live,
        now_s=int(SystemClock().now().timestamp()),
        write=asked.write,
        users=asked.users,
        at_s=int(asked.at.timestamp()) if asked.at else 0,
        repair_before=asked.repair_before,
        leave_out=frozenset(asked.leave_out),
    ).run()
    for lot, count in sorted(counts.items()):
        print(f"{count:>10}  {lot}")
    return 0


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("an instant with its zone, such as 2026-11-18T09:30:00Z")
    return instant


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.restore", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("restored", help="the table that DynamoDB restored")
    parser.add_argument("live", help="the stack's own table")
    parser.add_argument("--users", help="for readings: the stack's users table, which knows who is erased")
    parser.add_argument(
        "--at", type=_instant, help="for readings: the instant that was restored, with its zone"
    )
    parser.add_argument(
        "--leave-out", action="append", default=[], metavar="USER", help="nothing of this user"
    )
    parser.add_argument("--repair-before", metavar="HOUR", help="replace damaged hours before this one")
    parser.add_argument("--write", action="store_true", help="write; without it nothing is changed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
