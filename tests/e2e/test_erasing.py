"""Erasing a user, and the audit of reads, with the role of every function enforced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local import demo

if TYPE_CHECKING:
    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def _stored_about(cloud: Stack, user_id: str) -> list[str]:
    client = cloud.emulator.client("dynamodb")
    found: list[str] = []
    for table in (cloud.readings_table, cloud.users_table, cloud.intake_table):
        for page in client.get_paginator("scan").paginate(TableName=table):
            named = (item for item in page["Items"] if f"'{user_id}'" in str(item).replace("#", "'"))
            found += [item["sk"]["S"].partition("#")[0] for item in named]
    return found


def test_erasing_during_a_backfill_leaves_only_the_receipt(
    cloud: Stack, caller: Any, http: httpx.Client
) -> None:
    """Erasing right after the backfill was queued leaves only the receipt; erasing again changes nothing."""
    ora: Api = caller("ora")
    demo.connect(cloud.api, cloud.callers.token("ora"), "ora", "SandboxUser4")
    answer = http.delete("/api/bg/ora", headers=ora.client.headers)

    assert answer.status_code == 200
    assert answer.json()["removed"]["connections"] == 1
    assert _stored_about(cloud, "ora") == ["receipt"]
    assert http.delete("/api/bg/ora", headers=ora.client.headers).json() == answer.json()
    assert ora.get("/api/bg/ora/latest").status_code == 404


def test_a_service_read_appears_in_the_users_audit(caller: Any) -> None:
    """The audit function records a service's read, and the user's audit shows it."""
    reader: Api = caller("reporting", "bg/read")
    assert reader.get("/api/bg/pia").status_code == 200
    (entry,) = caller("pia").get("/api/bg/pia/audit").json()

    assert (entry["action"], entry["outcome"]) == ("GET /api/bg/{userId}", "done")
    assert entry["actor"]
    assert entry["correlation_id"]
