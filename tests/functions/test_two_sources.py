"""A user with Dexcom and a Nightscout of their own at once, over HTTP."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import SystemClock
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.readings.model import Device, Reading
from bg_ingest.settings import PROVIDER_NAMES
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.wiring import provider_parts, queue_parts, store_parts
from bg_ingest.wiring.process import users_table
from bg_ingest.wiring.sync_parts import sync_service
from nightscout_sim.faults import Fault
from tests.functions.conftest import part
from tests.functions.test_own_server import OwnServer, own
from tests.support.logins import store_tokens

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

__all__ = ["own"]

USER = "demo"  # Connected to Dexcom.
pytestmark = pytest.mark.enable_socket


def in_sync(world: FunctionsWorld, name: str, body: Any = None, **query: str) -> tuple[int, Any]:
    """The status and the document of a request to the function `sync`."""
    event = world.event(name, queryStringParameters=query, rawQueryString="")
    if body is not None:
        event["body"] = json.dumps(body)
    answer = world.invoke("sync", event)
    return answer["statusCode"], json.loads(answer["body"]) if answer.get("body") else None


def states(own: OwnServer) -> dict[str, str]:
    """The state of each source, by its provider."""
    shown = own.call("connect_state", user_id=USER)[1]
    return {source["provider"]: source["state"] for source in shown["sources"]}


def orders() -> list[Order]:
    """The orders of the user's jobs, the oldest first."""
    return sorted((job.order for job in part(queue_parts.jobs).newest_first(USER)), key=lambda o: o.job_id)


def test_both_sources_are_connected(own: OwnServer) -> None:
    """The connection is that of the user's own provider, and the list has both."""
    status, shown = own.connect(USER)

    assert (status, shown["provider"], shown["state"]) == (201, "dexcom", "connected")
    assert states(own) == {"dexcom": "connected", "nightscout": "connected"}
    assert [source["interval_seconds"] for source in shown["sources"]] == [900, 300]
    assert own.call("connect_state", user_id=USER) == (200, shown)


def test_each_source_has_items_and_jobs_of_its_own(own: OwnServer) -> None:
    """The items of the first source stay as they are."""
    before = part(users_table).get(USER, "sync")
    own.connect(USER)

    assert part(users_table).get(USER, "sync") == before
    keys = {item["sk"] for item in part(users_table).query("pk = :pk", {":pk": USER})}
    assert {"connection", "connection#nightscout", "sync", "sync#nightscout"} <= keys
    assert [(order.kind, order.source) for order in orders()] == [(JobKind.BACKFILL, "nightscout")]


def test_a_login_page_is_offered_beside_a_nightscout(own: OwnServer) -> None:
    """A user who began with a Nightscout can add the provider of the sensor."""
    own.connect()

    assert own.call("connect_start", {})[0] == 201
    assert own.call("connect_state")[1]["provider"] == "nightscout"


def test_the_worker_fetches_the_second_source(own: OwnServer) -> None:
    """With the sealed login of that source; its readings are stored and marked as relayed."""
    own.connect(USER)
    (order,) = orders()
    result = part(sync_service).carry_out(order, lambda: 110.0)

    assert result.counts is not None
    assert result.counts.stored == 576
    now = SystemClock().now()
    stored = part(store_parts.reading_store).between(USER, now - timedelta(hours=5), now - timedelta(hours=4))
    assert {each.reading.device.relay for each in stored} == {"nightscout"}
    state = part(queue_parts.states).get(USER, "nightscout")
    assert state is not None
    assert state.last_success_at is not None
    first = part(queue_parts.states).get(USER)
    assert first is not None
    assert first.data_until is None


def test_the_state_is_that_of_the_freshest_source(own: OwnServer) -> None:
    """Without `provider` it is the source with the newest reading; with it, the one that is named."""
    own.connect(USER)
    assert in_sync(own.world, "sync_state")[1]["provider"] == "dexcom"
    part(sync_service).carry_out(orders()[0], lambda: 110.0)

    shown = in_sync(own.world, "sync_state")[1]
    assert (shown["provider"], shown["poll_interval_seconds"]) == ("nightscout", 300)
    assert shown["data_until"] is not None
    named = in_sync(own.world, "sync_state", provider="dexcom")[1]
    assert (named["provider"], named["data_until"]) == ("dexcom", None)
    assert [source["provider"] for source in named["sources"]] == ["dexcom", "nightscout"]
    assert in_sync(own.world, "sync_state", provider="libre")[0] == 422


def test_a_job_names_its_provider(own: OwnServer) -> None:
    """In the list, alone, and in the response to the request that ordered it."""
    own.connect(USER)
    ordered = {name: in_sync(own.world, "sync_start_async", provider=name)[1] for name in PROVIDER_NAMES}

    assert {name: job["provider"] for name, job in ordered.items()} == {name: name for name in ordered}
    listed = {job["job_id"]: job["provider"] for job in in_sync(own.world, "sync_jobs")[1]}
    for name, job in ordered.items():
        assert listed[job["job_id"]] == name
        event = own.world.event("sync_job")
        event["pathParameters"]["jobId"] = job["job_id"]
        event["rawPath"] = f"/api/bg/{USER}/sync/jobs/{job['job_id']}"
        event["requestContext"]["http"]["path"] = event["rawPath"]
        assert json.loads(own.world.invoke("sync", event)["body"])["provider"] == name


@pytest.mark.parametrize("first", PROVIDER_NAMES)
def test_each_exported_row_names_its_provider(own: OwnServer, first: str) -> None:
    """Both if the relay was connected first, and if it was connected later."""
    user_id, now = "grace", SystemClock().now().replace(microsecond=0)
    if first == "nightscout":
        own.connect(user_id)
    tokens, endpoint = Tokens("access", "refresh", now), Endpoint("dexcom", "sandbox")
    source = "" if first == "dexcom" else "dexcom"
    store_tokens(part(provider_parts.vault), user_id, endpoint, tokens, data_from=now, source=source)
    if first == "dexcom":
        own.connect(user_id)
    store, minute = part(store_parts.reading_store), timedelta(minutes=1)
    relay = Device(relay="nightscout")
    early = [Reading(now - age * minute, 100 + age, device=relay) for age in (30, 20)]
    store.save(user_id, early, now - 19 * minute)
    store.save(user_id, [Reading(now - 30 * minute, 130), Reading(now - 10 * minute, 110)], now)

    assert _sources(own.world, user_id) == {"130": "dexcom", "120": "nightscout", "110": "dexcom"}


def _sources(world: FunctionsWorld, user_id: str) -> dict[str, str]:
    """The sources of a user's exported values."""
    event = world.event("export_grid_csv", queryStringParameters={"format": "csv"}, rawQueryString="")
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/api/bg/{user_id}/export"
    event["pathParameters"] = {"userId": user_id}
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = user_id
    answer = world.invoke("export", event)
    assert answer["statusCode"] == 200, answer["body"]
    return {row["glucose_mg_dl"]: row["source"] for row in csv.DictReader(io.StringIO(answer["body"]))}


def test_a_sync_is_ordered_from_each_source(own: OwnServer) -> None:
    """`provider` restricts it to one; a repeated request adds no second job of a source."""
    own.connect(USER)
    known = len(orders())
    assert in_sync(own.world, "sync_start_async", provider="nightscout")[0] == 202
    assert [order.source for order in orders()[known:]] == ["nightscout"]

    assert in_sync(own.world, "sync_start_async")[0] == 202
    assert in_sync(own.world, "sync_start_async")[0] == 202
    assert sorted(order.source for order in orders()[known:]) == ["", "nightscout"]


def test_a_reconciliation_is_ordered_from_each_source(own: OwnServer) -> None:
    """Each source is compared with what it has itself."""
    own.connect(USER)

    assert in_sync(own.world, "sync_reconcile")[0] == 202
    found = [order.source for order in orders() if order.kind is JobKind.RECONCILE]
    assert sorted(found) == ["", "nightscout"]


def test_an_interval_belongs_to_one_source(own: OwnServer) -> None:
    """The named source is polled at the new interval, and the other as before."""
    own.connect(USER)
    body = {"poll_interval_seconds": 1800}

    assert in_sync(own.world, "sync_settings", body, provider="nightscout")[0] == 200
    shown = own.call("connect_state", user_id=USER)[1]
    assert [source["interval_seconds"] for source in shown["sources"]] == [900, 1800]


def test_one_source_is_ended(own: OwnServer) -> None:
    """The other stays connected and polled, and the readings stay."""
    own.connect(USER)
    part(sync_service).carry_out(orders()[0], lambda: 110.0)

    assert own.call("connect_remove", user_id=USER, provider="nightscout")[0] == 204
    assert states(own) == {"dexcom": "connected", "nightscout": "disconnected"}
    slots = {state.source: state.slot for state in part(queue_parts.states).of_user(USER)}
    assert slots[""] is not None
    assert slots["nightscout"] is None
    assert part(store_parts.reading_store).latest(USER) is not None


def test_without_a_provider_both_are_ended(own: OwnServer) -> None:
    """A user who disconnects wants nothing more to be fetched."""
    own.connect(USER)

    assert own.call("connect_remove", user_id=USER)[0] == 204
    assert states(own) == {"dexcom": "disconnected", "nightscout": "disconnected"}
    assert in_sync(own.world, "sync_start_async")[0] == 409


def test_the_other_source_is_the_main_one_once_dexcom_ends(own: OwnServer) -> None:
    """Data still arrives, so the connection is that of the source it arrives from."""
    own.connect(USER)
    own.call("connect_remove", user_id=USER, provider="dexcom")

    shown = own.call("connect_state", user_id=USER)[1]
    assert (shown["provider"], shown["state"]) == ("nightscout", "connected")
    assert in_sync(own.world, "sync_start_async", provider="dexcom")[0] == 409


def test_an_error_of_one_source_is_not_the_others(own: OwnServer) -> None:
    """A server that refuses our token stops itself only."""
    own.connect(USER)
    own.site.faults.append(Fault("status", times=20, status=500))
    part(sync_service).carry_out(orders()[0], lambda: 110.0)

    shown = own.call("connect_state", user_id=USER)[1]
    errors = {source["provider"]: source["last_error"] for source in shown["sources"]}
    assert errors["nightscout"] is not None
    assert errors["dexcom"] is None


@pytest.mark.parametrize(("ended", "source"), [(None, ""), ("dexcom", "nightscout")])
def test_a_webhook_belongs_to_the_users_own_provider(own: OwnServer, ended: str | None, source: str) -> None:
    """If that has ended, it belongs to the source that is left."""
    own.connect(USER)
    if ended:
        own.call("connect_remove", user_id=USER, provider=ended)
    own.world.invoke("webhook", own.world.webhook("available"))

    assert [order.source for order in orders() if order.trigger is Trigger.WEBHOOK] == [source]


def test_days_are_followed_since_the_first_source(own: OwnServer) -> None:
    """A second source does not shorten the history that completeness counts from."""
    first = part(queue_parts.states).get(USER)
    assert first is not None
    own.connect(USER)
    today = SystemClock().now().date()

    days = part(sync_service).completeness(USER, today - timedelta(days=1), today)
    assert [day.date for day in days] == [today - timedelta(days=1), today]
    assert part(sync_service).sources(USER)[0].state is ConnectionState.CONNECTED
