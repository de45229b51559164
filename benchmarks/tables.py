"""DynamoDB Local with the template's tables and one for the plain way, and every call metered."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from benchmarks.metering import Meter
from bg_ingest.dynamo import Table
from local.dynamodb_local import jars, server
from local.emulator import REGION
from local.errors import CannotStart
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

READINGS, USERS, PLAIN = "readings", "users", "plain"
# DynamoDB Local takes any; the functions that are measured get the same.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}


def environ(endpoint: str) -> dict[str, str]:
    """What the functions are told, so that they use these tables."""
    return {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "DYNAMODB_ENDPOINT": endpoint,
        "DYNAMODB_TABLE": READINGS,
        "USERS_TABLE": USERS,
        "JOBS_QUEUE_URL": "http://127.0.0.1:1/123456789012/jobs",  # Nothing is ever sent there.
        "SYNCS_PER_MINUTE_MAX": "10000",  # Or the limits would be what is measured.
        "CONNECTIONS_PER_HOUR_MAX": "10000",
        **CREDENTIALS,
    }


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one run."""

    endpoint: str
    readings: Table
    users: Table
    plain: Table
    meter: Meter


@contextmanager
def tables() -> Iterator[Tables]:
    """Empty tables, for as long as the block runs."""
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
            ("ReadingsTable", PLAIN),
        ):
            create_table(client, logical_id, name)
        readings, users, plain = (Table(client, name) for name in (READINGS, USERS, PLAIN))
        yield Tables(endpoint, readings, users, plain, Meter(client))
