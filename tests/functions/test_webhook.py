"""Accepted webhooks: from the request to the stored reading."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock
from bg_ingest.wiring import queue_parts
from local.webhook_sender import one_reading
from tests.functions.conftest import REGION, part
from tests.functions.webhook_sending import queued, sent, worked
from tests.support.leaks import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld


@pytest.mark.parametrize("name", ["records", "records_base64"])
def test_a_webhook_is_readable_after_the_worker_ran(
    world: FunctionsWorld, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The readings are stored, the job has ended, and the outcome is counted."""
    answer = sent(world, world.webhook(name))
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"]) == {
        "status": "accepted",
        "correlation_id": answer["headers"]["X-Correlation-ID"],
    }
    worked(world)

    asked = {"from": "2026-04-26T14:00:00Z", "to": "2026-04-26T15:00:00Z"}
    shown = world.invoke("query", world.event("query_range", queryStringParameters=asked))
    assert [
        (reading["timestamp"], reading["glucose_mg_dl"], reading["local_offset_minutes"])
        for reading in json.loads(shown["body"])
    ] == [("2026-04-26T14:20:00Z", 108, -420), ("2026-04-26T14:25:00Z", 110, -420)]
    (job,) = part(queue_parts.jobs).newest_first("demo")
    assert (job.order.trigger, job.counts.stored) == ("webhook", 2)
    printed = capsys.readouterr().out
    assert '"webhook_processing_s"' in printed
    assert '"outcome":"accepted","webhooks":1' in printed


def test_a_reading_of_a_webhook_becomes_the_latest(world: FunctionsWorld) -> None:
    """It is stored in the same way as a reading of a poll."""
    sent(world, world.webhook("records", one_reading(SystemClock().now() + timedelta(minutes=1), 222)))
    worked(world)

    latest = world.invoke("query", world.event("query_latest"))
    assert json.loads(latest["body"])["glucose_mg_dl"] == 222


def test_an_invalid_record_does_not_affect_the_others(world: FunctionsWorld) -> None:
    """The job counts it with its reason."""
    sent(world, world.webhook("records_one_unreadable"))
    worked(world)
    shown = world.invoke("sync", world.event("sync_jobs"))

    (job,) = json.loads(shown["body"])
    assert job["counts"] == {"fetched": 3, "stored": 2, "revised": 0, "duplicates": 0, "invalid": 1}
    assert job["invalid"] == [{"reason": "value-missing", "count": 1}]


def test_the_message_of_a_webhook_shows_no_record(world: FunctionsWorld) -> None:
    """The records are sealed, and nothing else of the body is in the message."""
    webhook = world.webhook("records")
    sent(world, webhook)
    (message,) = queued()
    body = message["Body"]
    sealed = base64.b64decode(json.loads(body)["sealed"].partition(".")[2])

    assert json.loads(webhook["body"])["data"]["records"]
    assert not any(word in body for word in ("records", "systemTime", '"value"'))
    with pytest.raises(zlib.error):
        zlib.decompress(sealed)


def test_a_webhook_range_includes_both_ends(world: FunctionsWorld) -> None:
    """The order ends one second after the last reading."""
    assert sent(world, world.webhook("available"))["statusCode"] == 202
    (message,) = queued()
    order = json.loads(message["Body"])

    assert order["window"] == ["2026-11-20T00:00:00+00:00", "2026-11-20T23:55:01+00:00"]
    assert order["sealed"] is None
    assert order["correlation_id"] == world.event("webhook_available")["headers"]["x-correlation-id"]


def test_a_webhook_sent_twice_is_a_duplicate(world: FunctionsWorld) -> None:
    """The second has another time and signature, as a sender's retry has."""
    sent(world, world.webhook("records"))
    again = sent(world, world.webhook("records"))

    assert (again["statusCode"], json.loads(again["body"])) == (200, {"status": "duplicate"})
    assert len(queued()) == 1


def test_the_old_secret_works_during_rotation(world: FunctionsWorld) -> None:
    """Both secrets are accepted until the old one is removed."""
    assert sent(world, world.webhook("records", secret=OLD_WEBHOOK_SECRET))["statusCode"] == 202


def test_webhook_secrets_are_read_from_secrets_manager(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function reads a secret of its own, without the credentials of the application."""
    held = {"webhook_secrets": [WEBHOOK_SECRET]}
    aws_clients.secrets(REGION).create_secret(Name="webhooks", SecretString=json.dumps(held))
    world.restarted(monkeypatch, WEBHOOK_SECRET_NAME="webhooks", SECRET_NAME="unknown", WEBHOOK_SECRETS="")

    assert sent(world, world.webhook("records"))["statusCode"] == 202
    assert sent(world, world.webhook("records", secret=OLD_WEBHOOK_SECRET))["statusCode"] == 401


def test_a_webhook_is_audited(world: FunctionsWorld) -> None:
    """The entry names the sender of the webhook as the actor."""
    sent(world, world.webhook("records"))
    audit = world.invoke("query", world.event("query_audit"))

    (entry,) = json.loads(audit["body"])
    assert (entry["actor"], entry["outcome"]) == ("sender-of-the-webhook", "done")
