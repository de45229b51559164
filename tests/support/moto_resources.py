"""Queues, buckets and an event bus in moto, made without a request, which would take as long as a test."""

from __future__ import annotations

from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends


def queue_url(name: str, region: str) -> str:
    """The URL of a new queue."""
    sqs_backends[DEFAULT_ACCOUNT_ID][region].create_queue(name)
    return f"https://sqs.{region}.amazonaws.com/{DEFAULT_ACCOUNT_ID}/{name}"


def bucket(name: str, region: str) -> str:
    """The name of a new bucket."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(name, region)
    return name


def event_bus(name: str, region: str) -> str:
    """The name of a new event bus."""
    events_backends[DEFAULT_ACCOUNT_ID][region].create_event_bus(name)
    return name


def s3_client(region: str) -> Any:
    """A client of S3 with all of its operations."""
    return boto3.client("s3", region_name=region)  # noqa: TID251 - the service's own client has four of them.
