from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest import telemetry
from bg_ingest.sync.job import Counts, Job, JobKind, JobStatus, Order, SyncResult, Trigger
from bg_ingest.sync.worker import Delivery, DeliveryResult
from bg_ingest.telemetry.order_log import OrderLog

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = Order("demo", "0" * 28, JobKind.INCREMENTAL, Trigger.SCHEDULE, "c-1")
COUNTS = Counts(fetched=3, stored=2, duplicates=1)
JOB = Job(ORDER, JobStatus.SUCCEEDED, counts=COUNTS)
FIRST = Delivery("m-1", "handle", "{}", 1, "polls")


@pytest.fixture(autouse=True)
def _configured(_fresh_process: None) -> None:
    telemetry.configure()


def _handled(job: Job = JOB, *, keep: bool = False) -> DeliveryResult:
    return DeliveryResult("m-1", keep, job.order, SyncResult(job, counts=COUNTS))


def _lines_of(
    capsys: pytest.CaptureFixture[str], handle: Callable[[], DeliveryResult], delivery: Delivery = FIRST
) -> list[dict[str, Any]]:
    order_log = OrderLog()
    telemetry.adopt_correlation_id("c-1")
    order_log.logged(delivery, handle)
    order_log.write()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _after(line: str, level: int = logging.INFO) -> Callable[[], DeliveryResult]:
    def handle() -> DeliveryResult:
        telemetry.log(line, level=level)
        return _handled()

    return handle


def test_uneventful_polls_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line has what each poll did and its correlation id; lines about its calls are dropped."""
    order_log = OrderLog()
    for name in ("c-1", "c-2"):
        telemetry.adopt_correlation_id(name)
        order_log.logged(FIRST, _after("provider called"))
    order_log.write()

    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    did = {"calls": 1, "fetched": 3, "stored": 2, "revised": 0, "duplicates": 1}
    assert (line["message"], line["module"]) == ("polls carried out", "order_log")
    assert line["polls"] == [{"correlation_id": name} | did for name in ("c-1", "c-2")]


def test_only_calls_are_counted_as_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Other lines of an uneventful poll are dropped with them."""
    (line,) = _lines_of(capsys, _after("another line"))
    assert [poll["calls"] for poll in line["polls"]] == [0]


@pytest.mark.parametrize(
    ("handled", "delivery"),
    [
        (_handled(replace(JOB, status=JobStatus.DEFERRED)), FIRST),
        (_handled(replace(JOB, counts=Counts(invalid=(("value", 1),)))), FIRST),
        (_handled(replace(JOB, order=replace(ORDER, kind=JobKind.RECONCILE))), FIRST),
        (_handled(replace(JOB, order=replace(ORDER, trigger=Trigger.API))), FIRST),
        (_handled(replace(JOB, order=replace(ORDER, is_retry=True))), FIRST),
        (_handled(keep=True), FIRST),
        (_handled(), replace(FIRST, received=2)),
    ],
    ids=[
        "deferred",
        "an invalid record",
        "a reconciliation",
        "asked for",
        "a retry",
        "kept",
        "a second delivery",
    ],
)
def test_every_other_order_is_logged_in_full(
    capsys: pytest.CaptureFixture[str], handled: DeliveryResult, delivery: Delivery
) -> None:
    """Its own line follows those about its calls."""

    def handle() -> DeliveryResult:
        telemetry.log("provider called")
        return handled

    lines = _lines_of(capsys, handle, delivery)
    assert [line["message"] for line in lines] == ["provider called", "order carried out"]


def test_a_warning_is_written_with_what_led_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It does not wait for the end of the order, which may never come."""
    seen: list[str] = []

    def handle() -> DeliveryResult:
        telemetry.log("provider called")
        telemetry.log("provider called", level=logging.WARNING)
        seen.extend(json.loads(line)["level"] for line in capsys.readouterr().out.splitlines())
        telemetry.log("provider called")
        return _handled()

    lines = _lines_of(capsys, handle)
    assert seen == ["INFO", "WARNING"]
    assert [line["message"] for line in lines] == ["provider called", "order carried out"]


def test_an_error_is_raised_after_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What the order logged before it failed is written."""

    def handle() -> DeliveryResult:
        telemetry.log("provider called")
        raise KeyError("value")

    with pytest.raises(KeyError):
        _lines_of(capsys, handle)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["message"] == "provider called"


def test_a_message_that_cannot_be_read_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It has no order and no result."""
    (line,) = _lines_of(capsys, lambda: DeliveryResult("m-1", keep=True))
    assert (line["message"], line["level"], line["received"]) == ("message unreadable", "ERROR", 1)


def test_without_a_poll_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """An invocation with other orders only has no empty line."""
    OrderLog().write()
    assert capsys.readouterr().out == ""
