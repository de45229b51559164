"""Every sample payload of events/, sent to its function."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions import api_document
from tests.functions.conftest import EVENTS, FUNCTIONS, FunctionsWorld

# The status of each response: the user is connected and has readings, and the provider is down.
STATUSES: dict[str, int] = {
    "query_latest": 200,
    "query_range": 200,
    "query_range_csv": 200,
    "query_forbidden": 403,
    "query_audit": 200,
    "insight_statistics": 200,
    "insight_profile": 200,
    "export_users": 200,
    "status_numbers": 200,
    "export_parquet": 200,
    "export_grid_csv": 200,
    "export_order": 202,
    "export_show": 404,
    "export_remove": 404,
    "export_order_many": 202,
    "export_show_many": 404,
    "export_remove_many": 404,
    "query_changes": 200,
    "sync_start": 503,
    "sync_start_async": 202,
    "sync_state": 200,
    "sync_jobs": 200,
    "sync_job": 404,
    "sync_reconcile": 202,
    "sync_completeness": 200,
    "sync_settings": 200,
    "connect_start": 201,
    "connect_state": 200,
    "connect_confirm": 404,
    "connect_remove": 204,
    "erase_user": 200,
    # No grant has this token.
    "query_shared_latest": 401,
    "query_shared_range": 401,
    "query_shared_changes": 401,
    "insight_shared_statistics": 401,
    "insight_shared_profile": 401,
    "sync_shared_completeness": 401,
    "nightscout_entries": 401,
    "nightscout_properties": 401,
    "nightscout_push": 401,
    "nightscout_status": 200,
    "grants_create": 201,
    "grants_list": 200,
    "grants_revoke": 404,
    # The signatures in the files have expired, and no key set is configured. See test_webhook.py.
    "webhook_available": 401,
    "webhook_records": 401,
    "webhook_records_base64": 401,
    "webhook_records_one_unreadable": 401,
    "webhook_no_json": 401,
    "webhook_token": 401,
    "webhook_unsigned": 401,
    "connect_callback": 400,
    "connect_callback_denied": 400,
    "page_visitor": 200,
    "status_visitor": 303,
    "site_docs": 200,
    "site_health": 200,
    "site_openapi": 200,
    "site_ready": 200,
}
KEPT: dict[str, list[int]] = {  # The messages of a batch that stay in the queue.
    "worker_poll": [],
    "worker_backfill": [],
    "worker_range": [],
    "worker_poison": [0],
}
OTHERS = {
    "canary_tick",
    "dispatch_tick",
    "dispatch_reconcile",
    "dispatch_shard",
    "erase_second_look",
    "exporter_slice",
}
PUBLISHED = {  # Tested in test_publish.py.
    "publish_readings",
    "publish_revision",
    "publish_expired",
    "publish_connection",
    "publish_failed_job",
    "publish_unreadable",
    "publish_again",
    "publish_audit",
}
RECORDED = {"audit_revision", "audit_poison", "audit_archive"}  # Tested in test_audit.py.


def test_every_sample_payload_is_in_a_list_here() -> None:
    """A new file in events/ needs a line in this file."""
    assert {
        path.stem for path in EVENTS.glob("*.json")
    } == STATUSES.keys() | KEPT.keys() | OTHERS | PUBLISHED | RECORDED


def test_every_function_has_a_sample_payload() -> None:
    """Each function can be invoked by hand."""
    assert {path.stem.split("_")[0] for path in EVENTS.glob("*.json")} == set(FUNCTIONS)


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_a_sample_request_gets_the_described_response(world: FunctionsWorld, name: str, status: int) -> None:
    """The status, the correlation id and the problem document are as the OpenAPI document says."""
    answer = world.invoke(name.split("_", maxsplit=1)[0], world.event(name))

    assert answer["statusCode"] == status
    assert answer["headers"]["X-Correlation-ID"] == world.event(name)["headers"]["x-correlation-id"]
    if name.startswith("nightscout"):
        return  # The interface of another service, with its own form of errors.
    method, path = world.event(name)["routeKey"].split(" ")
    if not name.startswith(
        ("page_", "status_visitor")
    ):  # Pages are for people, and the document does not describe them.
        api_document.check(method, path, answer)
    if status >= 400 and "text/html" not in answer["headers"]["Content-Type"]:
        problem = json.loads(answer["body"])
        assert (problem["status"], problem["instance"]) == (status, answer["headers"]["X-Correlation-ID"])


@pytest.mark.parametrize(("name", "kept"), KEPT.items())
def test_a_batch_returns_only_unreadable_messages(world: FunctionsWorld, name: str, kept: list[int]) -> None:
    """The provider is down, so each order is queued again; an unreadable message stays."""
    event: dict[str, Any] = world.event(name)
    answer = world.invoke("worker", event)

    wanted = [{"itemIdentifier": event["Records"][index]["messageId"]} for index in kept]
    assert answer == {"batchItemFailures": wanted}


def test_a_message_without_an_export_is_dropped(world: FunctionsWorld) -> None:
    """The user of the sample has no export, as after an erasure."""
    assert world.invoke("exporter", world.event("exporter_slice")) == {"batchItemFailures": []}


def test_a_tick_claims_its_minute(world: FunctionsWorld) -> None:
    """The dispatcher reports one period, whether or not a user is due."""
    assert world.invoke("dispatch", world.event("dispatch_tick"))["periods"] == 1


def test_the_minutes_of_reconciliations_are_served_once(world: FunctionsWorld) -> None:
    """A second tick of the same minute does nothing."""
    assert world.invoke("dispatch", world.event("dispatch_reconcile"))["shards"] > 0
    again = world.invoke("dispatch", world.event("dispatch_reconcile"))
    assert again["periods"] <= 1  # A minute may have begun in between.


def test_a_shard_that_fails_is_delivered_again(world: FunctionsWorld) -> None:
    """An old shard is done without an order; one that cannot be read stays in the queue."""
    event = world.event("dispatch_shard")
    assert world.invoke("dispatch", event) == {"batchItemFailures": []}

    event["Records"][0]["body"] = "{}"
    kept = [{"itemIdentifier": event["Records"][0]["messageId"]}]
    assert world.invoke("dispatch", event) == {"batchItemFailures": kept}
