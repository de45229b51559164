"""docs/data-model.md lists the items that the stores write."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.access.grants import ReaderRequest
from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.display_settings import DisplaySettings, DisplayStore
from bg_ingest.accounts.quarantine import Quarantine
from bg_ingest.accounts.sealing import DataKeys, MessageSeals, Purpose, Sealer
from bg_ingest.clock import new_id
from bg_ingest.connecting.logins import Logins
from bg_ingest.connecting.parked_logins import ParkedLogins
from bg_ingest.dynamo import Table, from_attributes
from bg_ingest.erasing import removal
from bg_ingest.erasing.receipt import ErasureActor, Receipts
from bg_ingest.exporting.export_job import ExportJob, ExportKey, ExportSpan, of_user
from bg_ingest.exporting.export_jobs import ExportJobs
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint, Rejected, Tokens
from bg_ingest.readings.changes.late_log import LateLog
from bg_ingest.readings.completeness import Followed, completeness
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.readings.stored.hour_items import HourItems
from bg_ingest.readings.stored.stored_reading import Hour, StoredReading, with_write
from bg_ingest.signing_in.session import PageSession, Sessions
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.dispatching.dispatch import POLLS, dispatch
from bg_ingest.sync.dispatching.shard import Shard, serve
from bg_ingest.sync.job import Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.state import SyncStates, Turn
from bg_ingest.sync.windows import Covered
from bg_ingest.webhooks.receive import Inbox
from local.paths import CHECKOUT
from tests.support.documents import DOCS, sections, table_rows
from tests.support.fakes import NOON, FakeClock
from tests.support.grants import grants_in
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from bg_ingest.dynamo import Item

PAGE = DOCS / "data-model.md"
USER, KEYS = "ada", {"pk", "sk"}
AT_PROVIDER = Endpoint("dexcom", "us")


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
    if prefix == "export":
        return "exported" if "#" in item["sk"] else "export"
    return prefix if prefix in {"audit", "grant", "late"} else str(item["sk"].partition("#")[0])


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    """The images of the items that every store writes."""
    memory, clock = Recorder(), FakeClock()
    client = cast("DynamoDBClient", memory)
    users, intake = Table(client, "users"), Table(client, "intake")
    _connect(users, clock)
    _sync(users, clock)
    _shared(users, clock)
    _readings(Table(client, "readings"), users, clock)
    _others(users, clock)
    _intake(intake, clock)
    _grants(users, intake, clock)
    _page(users, clock)
    _exports(users, clock)
    return memory


@pytest.fixture(scope="module")
def written(recorder: Recorder) -> dict[str, set[str]]:
    """The attributes of each kind of item."""
    found: dict[str, set[str]] = {}
    for table, item in recorder.images:
        found.setdefault(kind_of(table, item), set()).update(item.keys() - KEYS)
    return found


def _connect(users: Table, clock: FakeClock) -> None:
    connections, logins = Connections(users, clock), Logins(users, clock)
    state, _ = logins.start(USER, None)
    login = logins.finish(state)
    assert login
    sealer = Sealer(
        DataKeys(cast("Any", FakeKms()), "key", "development", clock, purpose=Purpose.PARKED_TOKENS)
    )
    tokens = Tokens("access", "refresh", NOON)
    _, parked = ParkedLogins(users, sealer, clock).parked(login, AT_PROVIDER, tokens, None)
    assert users.transact([logins.finished(login), parked])
    connection = save_login(connections, USER, AT_PROVIDER, b"sealed", data_from=NOON)
    connections.note_account(connection, "account")
    save_login(connections, USER, AT_PROVIDER, b"sealed", data_from=NOON, source="relay", relays=True)


def _sync(users: Table, clock: FakeClock) -> None:
    states, jobs = SyncStates(users, clock), Jobs(users, clock)
    states.start_polling(USER, None, NOON - timedelta(days=1))
    order = Order(USER, new_id(NOON), JobKind.RECONCILE, Trigger.API, "id")
    jobs.save(Job(order, JobStatus.QUEUED))
    states.start_polling(USER, None, NOON - timedelta(days=1), "relay", relays=True)
    jobs.save(Job(replace(order, job_id=new_id(NOON), source="relay"), JobStatus.QUEUED))
    lease = states.take(order)
    assert isinstance(lease, Turn)
    assert states.advance(lease, NOON)
    assert states.end(
        lease,
        succeeded=True,
        data_until=NOON,
        fresh_at=NOON,
        reconciled_at=NOON,
        covered=Covered(NOON),
        polls=bytes(38),
    )
    jobs.save_polls(USER, bytes(6 * 38))
    lease = states.take(order)
    assert isinstance(lease, Turn)
    assert states.end(lease, succeeded=False, error="Unavailable", data_until=NOON)
    followed = Followed(NOON - timedelta(days=1), NOON)
    CompletenessStore(users, clock).save(
        USER, completeness([], NOON.date(), NOON.date(), NOON + timedelta(days=2), followed)
    )


def _readings(readings: Table, users: Table, clock: FakeClock) -> None:
    store = ReadingStore(readings, clock, 730, lambda: "id", announce_late=LateLog(users, clock).announce)
    store.save(USER, [Reading(NOON, 110), Reading(NOON - timedelta(days=2), 110)], NOON)
    store.remove_deleted(USER, [Reading(NOON, 110)], NOON)
    before = Hour(NOON, (StoredReading(Reading(NOON, 110), NOON),))
    items = HourItems(readings, 730)
    items.write(USER, with_write(before, Hour(NOON + timedelta(days=1)), NOON), "")


def _shared(users: Table, clock: FakeClock) -> None:
    sent: list[Shard] = []
    dispatch(
        POLLS, table=users, send=sent.extend, intervals_s=[900], shards=2, correlation_id="id", clock=clock
    )
    SyncStates(users, clock).start_polling(USER, 900, NOON)
    minute = poll_slots.next_due_minute(poll_slots.poll_slot(USER, 900), 0)
    due = replace(sent[0], number=minute % 15)
    assert serve(due, table=users, send=lambda _: None, clock=clock, page_users=1) == 1
    breaker = SharedBreaker(users, clock, "https://api.dexcom.com")
    breaker.failed(breaker.permit("account"))
    breaker.share()
    HourlyQuota(users, clock).take()


def _others(users: Table, clock: FakeClock) -> None:
    audit = Audit(users, clock, 365)
    audit.save(audit.new_entry(USER, actor=USER, action="POST /", correlation_id="id"))
    sealer = Sealer(DataKeys(cast("Any", FakeKms()), "key", "development", clock, purpose=Purpose.QUARANTINE))
    assert Quarantine(users, sealer, clock).save(USER, [Rejected("value-missing", {"value": None})])
    receipts = Receipts(users, clock, 365)
    receipt = receipts.add(
        receipts.open(USER, ErasureActor("person", "hash")), removal.count_by_kind({"pk": USER, "sk": "sync"})
    )
    receipts.close(receipt)


def _intake(intake: Table, clock: FakeClock) -> None:
    Inbox(intake, clock).claim(USER, "msg_1", new_id(NOON), "id")
    CallerLimit(intake, clock, LimitPolicy("syncs", 30, 60)).take("caller")
    sealer = Sealer(DataKeys(cast("Any", FakeKms()), "key", "development", clock, purpose=Purpose.MESSAGES))
    MessageSeals(intake, sealer, clock).seal(USER, b"records")


def _grants(users: Table, intake: Table, clock: FakeClock) -> None:
    grants = grants_in(users, intake, clock)
    until = NOON + timedelta(days=1)
    grant, token = grants.create(USER, "watch", [Category.READINGS], GrantDays(last=14), until)
    grants.items.add_pointer(grant, "jwt#1", "lookup", until)
    grants.reader(token, ReaderRequest("203.0.113.7", "watch", "GET /", "id"))


def _exports(users: Table, clock: FakeClock) -> None:
    jobs, key = ExportJobs(users, clock), ExportKey(of_user(USER), new_id(NOON))
    job = ExportJob(key, ExportSpan(NOON, NOON, NOON), USER, "POST /", "id", NOON, NOON)
    jobs.add(job)
    claimed = jobs.claim(key)
    assert claimed
    files = jobs.open_files(USER, claimed)
    assert jobs.save_files(files, claimed)
    assert jobs.count_user(claimed, replace(files, unreadable=1))


def _page(users: Table, clock: FakeClock) -> None:
    DisplayStore(users).save(USER, DisplaySettings("mmol/L", "Europe/Berlin"))
    sealer = Sealer(DataKeys(cast("Any", FakeKms()), "key", "development", clock, purpose=Purpose.PAGE))
    Sessions(sealer, users, clock).end(PageSession(USER, USER, "key"))


def _documented() -> Iterator[tuple[str, set[str]]]:
    text = sections(PAGE)
    for cell, *_ in table_rows(PAGE.read_text(), "kind"):
        kind = cell[1 : cell.index("]")]
        rows = list(table_rows(text[kind], "attribute"))
        yield kind, {name for cells in rows for name in re.findall(r"`([^`]+)`", cells[0])}


def test_the_page_lists_every_kind_of_item(written: dict[str, set[str]]) -> None:
    """Each kind that a store writes has a row and a section, and no other kind has."""
    assert dict(_documented()).keys() == written.keys()


def test_the_page_lists_each_kind_under_its_table(recorder: Recorder) -> None:
    """The sections of the kinds are below the heading of the table that contains them."""
    found: dict[str, set[str]] = {}
    for table, item in recorder.images:
        found.setdefault(f"{table.capitalize()} table", set()).add(kind_of(table, item))
    chapters = PAGE.read_text().split("\n## ")
    listed = {chapter.partition("\n")[0]: set(re.findall(r"\n### (\w+)", chapter)) for chapter in chapters}

    assert {heading: kinds for heading, kinds in listed.items() if kinds} == found


def test_every_item_of_the_intake_table_expires(recorder: Recorder) -> None:
    """So the table is deleted with its stack, and needs no backup."""
    intake = [item for table, item in recorder.images if table == "intake"]

    assert intake
    assert all(item["expires_at"] > NOON.timestamp() for item in intake)


def test_the_page_lists_every_attribute(written: dict[str, set[str]]) -> None:
    """The attributes of each kind are those that the stores write."""
    for kind, attributes in _documented():
        found = {re.sub(r"^removed_\w+", "removed_<kind>", name) for name in written[kind]}
        found = {re.sub(r"^(users|turns)_\d+", r"\1_<interval>", name) for name in found}
        found = {re.sub(r"^client_\w+", "client_<hash>", name) for name in found}

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

    assert named == counted | {"hours", "readings", "audit_entries", "export_files", "exports", "grants"}


def test_the_index_is_the_one_of_the_template() -> None:
    """One index, on `seat`, with keys only, as the page says."""
    (index,) = resource("UsersTable")["GlobalSecondaryIndexes"]

    assert [key["AttributeName"] for key in index["KeySchema"]] == ["seat", "pk"]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert "## The `seat` index" in PAGE.read_text()
