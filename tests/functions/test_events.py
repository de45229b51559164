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
    "connect_remove": 204,
    "erase_user": 200,
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
OTHERS = {"dispatch_tick", "dispatch_reconcile", "erase_second_look"}
PUBLISHED = {  # Tested in test_publish.py.
    "publish_readings",
    "publish_revision",
    "publish_expired",
    "publish_connection",
    "publish_failed_job",
    "publish_unreadable",
    "publish_again",
}
RECORDED = {"audit_revision", "audit_poison"}  # Tested in test_audit.py.


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
    method, path = world.event(name)["routeKey"].split(" ")
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


def test_a_tick_claims_its_minute(world: FunctionsWorld) -> None:
    """The dispatcher reports one period, whether or not a user is due."""
    assert world.invoke("dispatch", world.event("dispatch_tick"))["periods"] == 1


def test_a_reconciliation_hour_is_served_once(world: FunctionsWorld) -> None:
    """A second tick of the same hour does nothing."""
    assert world.invoke("dispatch", world.event("dispatch_reconcile"))["periods"] == 1
    assert world.invoke("dispatch", world.event("dispatch_reconcile")) == {"periods": 0, "users": 0}
