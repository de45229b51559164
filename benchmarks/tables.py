"""DynamoDB Local with the template's tables and one for the plain design, with metered calls."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from benchmarks.metering import Meter
from bg_ingest.aws import aws_clients
from bg_ingest.dynamo import Table
from local.dynamodb_local import jars, server
from local.emulator import REGION
from local.errors import CannotStart
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

READINGS, USERS, INTAKE, PLAIN = "readings", "users", "intake", "plain"
# DynamoDB Local accepts any credentials; the measured functions get the same.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}


def environ(endpoint: str) -> dict[str, str]:
    """Return the environment with which functions use these tables."""
    return {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "DYNAMODB_ENDPOINT": endpoint,
        "DYNAMODB_TABLE": READINGS,
        "USERS_TABLE": USERS,
        "INTAKE_TABLE": INTAKE,
        "JOBS_QUEUE_URL": "http://127.0.0.1:1/123456789012/jobs",  # No message is sent there.
        "SERVICE_CLIENT_IDS": "a-service",  # Of events/export_users.json.
        "SYNCS_PER_MINUTE_MAX": "10000",  # Without this the limits would be measured.
        "CONNECTIONS_PER_HOUR_MAX": "10000",
        "WRITES_PER_MINUTE_MAX": "10000",
        **CREDENTIALS,
    }


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one run."""

    endpoint: str
    readings: Table
    users: Table
    intake: Table
    plain: Table
    meter: Meter


@contextmanager
def tables() -> Iterator[Tables]:
    """Return empty tables for the duration of the block."""
    lacking = jars.missing()
    if lacking:
        raise CannotStart(lacking)
    jars.fetch()
    with server.running() as endpoint:
        client = boto3.client(  # noqa: TID251 - there is no wiring here.
            "dynamodb",
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        for logical_id, name in (
            ("ReadingsTable", READINGS),
            ("UsersTable", USERS),
            ("IntakeTable", INTAKE),
            ("ReadingsTable", PLAIN),
        ):
            create_table(client, logical_id, name)
        os.environ.update(CREDENTIALS)  # noqa: TID251 - before the client reads it.
        # As deployed, for the plain design as well.
        meter = Meter(aws_clients.dynamodb(REGION, endpoint))
        yield Tables(
            endpoint,
            readings=Table(meter.client, READINGS),
            users=Table(meter.client, USERS),
            intake=Table(meter.client, INTAKE),
            plain=Table(meter.client, PLAIN),
            meter=meter,
        )
