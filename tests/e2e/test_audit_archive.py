"""A service's read of a user's data ends in the archive of the audit, under pseudonyms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.publishing.events import audit_pseudonym
from local import demo
from local.deploy import STACK_NAME
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from local.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def test_an_access_of_a_service_is_archived(cloud: Stack, caller: Any) -> None:
    """The line has the action and the outcome, and its person is the pseudonym of the user."""
    formation = cloud.emulator.client("cloudformation")
    names = {
        entry["LogicalResourceId"]: entry["PhysicalResourceId"]
        for entry in formation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    }
    secrets, s3 = cloud.emulator.client("secretsmanager"), cloud.emulator.client("s3")
    key = secrets.get_secret_value(SecretId=names["EventIdsSecret"])["SecretString"].encode()
    bucket = names["AuditArchiveBucket"]
    assert caller(demo.USER_ID, "bg/read").get(f"/api/bg/{demo.USER_ID}/latest").status_code == 200

    def lines() -> list[dict[str, Any]]:
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        texts = [s3.get_object(Bucket=bucket, Key=each)["Body"].read().decode() for each in keys]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def is_archived() -> bool:
        return any(
            (line["person"], line["action"], line["outcome"])
            == (audit_pseudonym(key, demo.USER_ID), "GET /api/bg/{userId}/latest", "done")
            for line in lines()
        )

    assert wait_until(is_archived, WAIT_S_MAX)
    assert not any(demo.USER_ID in json.dumps(line) for line in lines())
