"""docs/data-model.md lists the items that the stores write."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.accounts import refresh_lease
from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.data_keys import DataKeys
from bg_ingest.accounts.quarantine import Quarantine
from bg_ingest.accounts.sealing import Sealer
from bg_ingest.connecting.logins import Logins
from bg_ingest.dynamo import Table, from_attributes
from bg_ingest.erasing import removal
from bg_ingest.erasing.receipt import Receipts
from bg_ingest.ids import new_id
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint, Rejected
from bg_ingest.readings.completeness import Followed, completeness
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.dispatch import POLLS, dispatch
from bg_ingest.sync.job import Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.state import Lease, SyncStates
from bg_ingest.webhooks.inbox import Inbox
from local.paths import CHECKOUT
from tests.support.documents import DOCS, sections, table_rows
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from bg_ingest.dynamo import Item

PAGE = DOCS / "data-model.md"
USER, KEYS = "ada", {"pk", "sk"}
AT_PROVIDER = Endpoint("dexcom", "us", "https://api.dexcom.com")


class FakeKms:
    """A key service that wraps nothing: this test looks at names only."""

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        """A data key."""
        return {"Plaintext": bytes(32), "CiphertextBlob": b"wrapped"}


class Recorder(MemoryDynamo):
    """DynamoDB in memory that remembers every image of every item."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[tuple[str, Item]] = []

    def _write(self, table: str, *arguments: Any) -> Any:
        images = super()._write(table, *arguments)
        self.images += [(table, from_attributes(image)) for image in images if image]
        return images


def kind_of(table: str, item: Item) -> str:
    """The name of an item's section on the page."""
    if table == "readings":
        return "hour"
    prefix, _, rest = item["pk"].partition("#")
    if prefix == "app":
        return str(rest.partition("#")[0])
    return "audit" if prefix == "audit" else str(item["sk"].partition("#")[0])


@pytest.fixture(scope="module")
def written() -> dict[str, set[str]]:
    """The attributes of each kind of item, by running every store."""
    memory, clock = Recorder(), FakeClock()
    client = cast("DynamoDBClient", memory)
    users = Table(client, "users")
    _connect(users, clock)
    _sync(users, clock)
    _shared(users, clock)
    ReadingStore(Table(client, "readings"), clock, 730, lambda: "id").save(USER, [Reading(NOON, 110)], NOON)
    _others(users, clock)
    found: dict[str, set[str]] = {}
    for table, item in memory.images:
        found.setdefault(kind_of(table, item), set()).update(item.keys() - KEYS)
    return found


def _connect(users: Table, clock: FakeClock) -> None:
    connections, logins = Connections(users, clock), Logins(users, clock)
    state, _ = logins.start(USER, None)
    login = logins.finish(state)
    assert login
    assert users.transact([logins.finished(login)])
    connection = connections.save_new(USER, AT_PROVIDER, b"sealed", data_from=NOON)
    connections.note_account(connection, "account")
    assert refresh_lease.claim(users, connection, "holder", clock.now(), timedelta(seconds=60))


def _sync(users: Table, clock: FakeClock) -> None:
    states, jobs = SyncStates(users, clock), Jobs(users, clock)
    states.start_polling(USER, None, NOON - timedelta(days=1))
    order = Order(USER, new_id(NOON), JobKind.RECONCILE, Trigger.API, "id")
    jobs.save(Job(order, JobStatus.QUEUED))
    lease = states.take(order)
    assert isinstance(lease, Lease)
    assert states.advance(lease, NOON)
    assert states.release(lease, succeeded=True, data_until=NOON, reconciled_at=NOON)
    lease = states.take(order)
    assert isinstance(lease, Lease)
    assert states.release(lease, succeeded=False, error="Unavailable", data_until=NOON)
    followed = Followed(NOON - timedelta(days=1), NOON)
    CompletenessStore(users, clock).save(
        USER, completeness([], NOON.date(), NOON.date(), NOON + timedelta(days=2), followed)
    )


def _shared(users: Table, clock: FakeClock) -> None:
    dispatch(POLLS, table=users, send=lambda _: None, intervals_s=[900], correlation_id="id", clock=clock)
    breaker = SharedBreaker(users, clock, AT_PROVIDER.base_url)
    breaker.failed(breaker.permit("account"))
    breaker.share()
    HourlyQuota(users, clock).take()
    CallerLimit(users, clock, LimitPolicy("syncs", 30, 60)).take("caller")


def _others(users: Table, clock: FakeClock) -> None:
    inbox, audit = Inbox(users, clock), Audit(users, clock, 365)
    inbox.claim(USER, "msg_1", new_id(NOON), "id")
    audit.save(audit.new_entry(USER, actor=USER, action="POST /", correlation_id="id"))
    sealer = Sealer(DataKeys(cast("Any", FakeKms()), "key", "development", clock))
    assert Quarantine(users, sealer, clock).save(USER, [Rejected("value-missing", {"value": None})])
    receipts = Receipts(users, clock, 365)
    receipt = receipts.add(receipts.open(USER), removal.count_by_kind({"pk": USER, "sk": "sync"}))
    receipts.close(receipt)


def _documented() -> Iterator[tuple[str, set[str]]]:
    text = sections(PAGE)
    for cell, *_ in table_rows(PAGE.read_text(), "kind"):
        kind = cell[1 : cell.index("]")]
        rows = list(table_rows(text[kind], "attribute"))
        yield kind, {name for cells in rows for name in re.findall(r"`([^`]+)`", cells[0])}


def test_the_page_lists_every_kind_of_item(written: dict[str, set[str]]) -> None:
    """Each kind that a store writes has a row and a section, and no other kind has."""
    assert dict(_documented()).keys() == written.keys()


def test_the_page_lists_every_attribute(written: dict[str, set[str]]) -> None:
    """The attributes of each kind are those that the stores write."""
    for kind, attributes in _documented():
        found = {re.sub(r"^removed_\w+", "removed_<kind>", name) for name in written[kind]}

        assert attributes == found, kind


def test_every_key_in_the_code_is_on_the_page() -> None:
    """A new key prefix in a store cannot be forgotten: the scenario above would not write its item."""
    found = set()
    for path in (CHECKOUT / "layers/core/bg_ingest").rglob("*.py"):
        found |= set(
            re.findall(r'^_?(?:\w+_)?(?:PREFIX|SK|PK) = "([a-z#]+)"', path.read_text(), re.MULTILINE)
        )
    kinds = {name.removeprefix("app#").rstrip("#") for name in found}

    assert {"connection", "sync", "job", "breaker", "audit"} <= kinds
    assert kinds <= dict(_documented()).keys()


def test_the_receipt_counts_are_those_of_the_eraser() -> None:
    """The names behind `removed_` are the eraser's names for the kinds of items."""
    row = next(cells for cells in table_rows(sections(PAGE)["receipt"], "attribute") if "removed" in cells[0])
    named = set(re.findall(r"`(\w+)`", row[1]))
    kinds = {kind for kind, _ in _documented()} | {"unknown"}
    counted = {name for kind in kinds for name in removal.count_by_kind({"pk": USER, "sk": f"{kind}#1"})}

    assert named == counted | {"hours", "readings", "audit_entries"}


def test_the_index_is_the_one_of_the_template() -> None:
    """One index, on `seat`, with keys only, as the page says."""
    (index,) = resource("UsersTable")["GlobalSecondaryIndexes"]

    assert [key["AttributeName"] for key in index["KeySchema"]] == ["seat", "pk"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert "## The `seat` index" in PAGE.read_text()
