"""What becomes of a webhook that is taken in."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.wiring import aws_clients, stores
from local.webhook_sender import one_reading
from tests.functions.webhook_sending import queued, sent, worked
from tests.support.leaks import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

if TYPE_CHECKING:
    from tests.functions.conftest import World


@pytest.mark.parametrize("name", ["records", "records_base64"])
def test_what_is_sent_is_readable_once_a_worker_has_taken_it(
    world: World, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also as the gateway hands over what is not labelled as text; logged is neither a value nor a person."""
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
    (job,) = stores.jobs().newest_first("demo")
    assert (job.order.trigger, job.counts.stored) == ("webhook", 2)
    printed = capsys.readouterr().out
    assert '"webhook_processing_s"' in printed
    assert '"outcome":"accepted","webhooks":1' in printed


def test_a_new_reading_is_the_latest(world: World) -> None:
    """Through the same door as every other."""
    sent(world, world.webhook("records", one_reading(SystemClock().now() + timedelta(minutes=1), 222)))
    worked(world)

    latest = world.invoke("query", world.event("query_latest"))
    assert json.loads(latest["body"])["glucose_mg_dl"] == 222


def test_one_record_that_cannot_be_read_costs_no_other(world: World) -> None:
    """The job counts it."""
    sent(world, world.webhook("records_one_unreadable"))
    worked(world)
    shown = world.invoke("sync", world.event("sync_jobs"))

    (job,) = json.loads(shown["body"])
    assert job["counts"] == {"fetched": 3, "stored": 2, "revised": 0, "duplicates": 0, "invalid": 1}
    assert job["invalid"] == [{"reason": "value-missing", "count": 1}]


def test_a_range_is_ordered_to_its_last_reading(world: World) -> None:
    """Both ends are included."""
    assert sent(world, world.webhook("available"))["statusCode"] == 202
    (message,) = queued()
    order = json.loads(message["Body"])

    assert order["window"] == ["2026-11-20T00:00:00+00:00", "2026-11-20T23:55:01+00:00"]
    assert order["brought"] is None
    assert order["correlation_id"] == world.event("webhook_available")["headers"]["x-correlation-id"]


def test_the_same_again_is_a_duplicate(world: World) -> None:
    """With another time and another signature, as a sender tries again."""
    sent(world, world.webhook("records"))
    again = sent(world, world.webhook("records"))

    assert (again["statusCode"], json.loads(again["body"])) == (200, {"status": "duplicate"})
    assert len(queued()) == 1


def test_both_secrets_are_good_while_one_replaces_the_other(world: World) -> None:
    """The one before, too."""
    assert sent(world, world.webhook("records", secret=OLD_WEBHOOK_SECRET))["statusCode"] == 202


def test_outside_development_the_secret_is_in_secrets_manager(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a list, beside what Dexcom gave us."""
    held = {"client_id": "i", "client_secret": "hunter2", "webhook_secrets": [WEBHOOK_SECRET]}
    aws_clients.secrets().create_secret(Name="bg-ingest", SecretString=json.dumps(held))
    world.restarted(monkeypatch, SECRET_NAME="bg-ingest", WEBHOOK_SECRETS="")

    assert sent(world, world.webhook("records"))["statusCode"] == 202
    assert sent(world, world.webhook("records", secret=OLD_WEBHOOK_SECRET))["statusCode"] == 401


def test_the_person_sees_who_sent(world: World) -> None:
    """In their audit."""
    sent(world, world.webhook("records"))
    audit = world.invoke("query", world.event("query_audit"))

    (entry,) = json.loads(audit["body"])
    assert (entry["actor"], entry["outcome"]) == ("sender-of-the-webhook", "done")
