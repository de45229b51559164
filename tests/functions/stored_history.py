"""A user with every kind of stored item, for the tests that try random requests."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.clock import new_id
from bg_ingest.readings.completeness import Followed, completeness
from bg_ingest.readings.cursor import Cursor, encode
from bg_ingest.readings.model import Device, Reading
from bg_ingest.sync.job import Counts, Failure, Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.wiring import queue_parts, store_parts, sync_parts
from bg_ingest.wiring.access import grant_parts
from bg_ingest.wiring.process import process
from tests.functions.conftest import part
from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from datetime import datetime

    from tests.functions.conftest import FunctionsWorld

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


def store_history(world: FunctionsWorld, user_id: str) -> dict[str, list[str]]:
    """Store one item of each kind; return values of request parameters that lead to them."""
    now = process().clock.now().replace(microsecond=0)
    _readings(user_id, now)
    jobs = [_job(user_id, status, now) for status in JobStatus]
    for job in jobs:
        part(queue_parts.jobs).save(job)
    stored = list(part(store_parts.reading_store).between(user_id, now - 48 * _HOUR, now))
    days = completeness(
        stored, now.date() - timedelta(days=2), now.date(), now, Followed(now - 24 * _HOUR, now)
    )
    part(sync_parts.stores).completeness.save(user_id, days)
    claims = {"sub": "another-service", "scope": "bg/read bg/write"}
    send(world, Request("GET", f"/api/bg/{user_id}/latest", claims))
    _, login = send(world, Request("POST", f"/api/bg/{user_id}/connection", claims, body="{}"))
    _, newest = send(world, Request("GET", f"/api/bg/{user_id}/latest", claims))
    grant, token = part(grant_parts.grant_service).create(user_id, "watch", [*Category], GrantDays(last=14))
    _, export = send(world, Request("POST", f"/api/bg/{user_id}/exports", claims, body="{}"))
    ids = [job.order.job_id for job in jobs]
    dates = [str(now.date() - timedelta(days=days)) for days in range(4)]
    instants = [f"{now - hours * _HOUR:%Y-%m-%dT%H:%M:%SZ}" for hours in range(0, 60, 6)]
    return {
        "userId": [user_id],
        "jobId": ids,
        "cursor": [*ids, encode(Cursor(now - _HOUR)), encode(Cursor(now - _HOUR, descending=True))],
        "from": [*dates, *instants],
        "to": [*dates, *instants],
        "as_of": instants,
        "grantId": [grant.grant_id],
        "exportId": [json.loads(export["body"])["export_id"]],
        "Authorization": [f"Bearer {token}", f"Bearer {token}", "Bearer watch-0000000000000000"],
        "state": parse_qs(urlsplit(json.loads(login["body"])["authorize_url"]).query)["state"],
        "If-None-Match": ["*", newest["headers"]["ETag"]],
        "Prefer": ["respond-async"],
    }


def _readings(user_id: str, now: datetime) -> None:
    """Store three hours with a gap, with revisions, copies, unusual texts and missing fields."""
    phone, receiver = Device("g7", "iOS", "G7", "one"), Device("g7", "receiver", None, "one")
    series = [
        Reading(now - 5 * n * _MINUTE, 60 + n % 300, "flat", 0.1, device=phone, transmitter_ticks=n)
        for n in range(36)
        if not 15 <= n < 25
    ]
    odd = [
        Reading(now - 101 * _MINUTE, 39, status="low"),
        Reading(
            now - 102 * _MINUTE, 401, '\u2197 "sharp", =1+1', -0.0, "high", device=Device("g6 pro", "\u2028")
        ),
        Reading(now - 103 * _MINUTE, 13, trend="rateOutOfRange", kind="manual", local_offset_minutes=345),
    ]
    copies = [replace(one, at=one.at + timedelta(seconds=4), device=receiver) for one in series[:10]]
    revised = [replace(one, mg_dl=one.mg_dl + 1) for one in series[5:10]]
    for n, answer in enumerate((series, odd, copies, revised)):
        part(store_parts.reading_store).save(user_id, answer, now + n * _MINUTE)


def _job(user_id: str, status: JobStatus, now: datetime) -> Job:
    order = Order(user_id, new_id(now), JobKind.RECONCILE, Trigger.API, "made-up", (now - _HOUR, now))
    begun = None if status is JobStatus.QUEUED else now - _MINUTE
    over = status in {JobStatus.SUCCEEDED, JobStatus.FAILED}
    failure = Failure("Throttled", retryable=True, attempts=2) if status is JobStatus.FAILED else None
    counts = Counts(12, 5, 1, 5, (("value-missing", 1),))
    return Job(order, status, begun, now if over else None, order.window, counts, failure)
