"""Every payload of events/ through the handler it is for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions import described
from tests.functions.conftest import EVENTS, FUNCTIONS, World

# What each answers when its user is connected, has readings, and the provider is down.
ANSWERS: dict[str, int] = {
    "query_latest": 200,
    "query_range": 200,
    "query_range_csv": 200,
    "query_forbidden": 403,
    "query_audit": 200,
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
    # What is signed in a file is stale, and nobody here accepts tokens; test_webhook.py signs them anew.
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
KEPT: dict[str, list[int]] = {  # Which messages of a batch stay in the queue.
    "worker_poll": [],
    "worker_backfill": [],
    "worker_range": [],
    "worker_poison": [0],
}
OTHERS = {"dispatch_tick", "dispatch_reconcile", "erase_second_look"}


def test_every_payload_is_tried() -> None:
    """A new file in events/ needs a line in this test."""
    assert {path.stem for path in EVENTS.glob("*.json")} == ANSWERS.keys() | KEPT.keys() | OTHERS


def test_every_function_has_a_payload() -> None:
    """Each can be tried by hand."""
    assert {path.stem.split("_")[0] for path in EVENTS.glob("*.json")} == set(FUNCTIONS)


@pytest.mark.parametrize(("name", "status"), ANSWERS.items())
def test_a_request_is_answered(world: World, name: str, status: int) -> None:
    """As it is described: with its status, an id to ask by, and a problem document where it is an error."""
    answer = world.invoke(name.split("_", maxsplit=1)[0], world.event(name))

    assert answer["statusCode"] == status
    assert answer["headers"]["X-Correlation-ID"] == world.event(name)["headers"]["x-correlation-id"]
    method, path = world.event(name)["routeKey"].split(" ")
    described.check(method, path, answer)
    if status >= 400 and "text/html" not in answer["headers"]["Content-Type"]:
        problem = json.loads(answer["body"])
        assert (problem["status"], problem["instance"]) == (status, answer["headers"]["X-Correlation-ID"])


@pytest.mark.parametrize(("name", "kept"), KEPT.items())
def test_a_batch_keeps_what_could_not_be_done(world: World, name: str, kept: list[int]) -> None:
    """The provider is down, so every order is put off as a message of its own; what is no order stays."""
    event: dict[str, Any] = world.event(name)
    answer = world.invoke("worker", event)

    wanted = [{"itemIdentifier": event["Records"][index]["messageId"]} for index in kept]
    assert answer == {"batchItemFailures": wanted}


def test_a_tick_is_served(world: World) -> None:
    """The minute is claimed, whoever is due in it."""
    assert world.invoke("dispatch", world.event("dispatch_tick"))["periods"] == 1


def test_the_hour_of_a_reconciliation_is_served_once(world: World) -> None:
    """A doubled tick finds nothing to do."""
    assert world.invoke("dispatch", world.event("dispatch_reconcile"))["periods"] == 1
    assert world.invoke("dispatch", world.event("dispatch_reconcile")) == {"periods": 0, "users": 0}
