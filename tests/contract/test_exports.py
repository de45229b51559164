"""Exports in the background: complete after every crash, and gone after an erasure or a removal."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.audit import Audit
from bg_ingest.dynamo import Table
from bg_ingest.exporting.export_job import UNFINISHED_MAX, ExportStatus, of_service, of_user
from bg_ingest.exporting.export_jobs import CLAIM_S
from bg_ingest.exporting.export_objects import ExportObjects
from bg_ingest.exporting.export_run import HIDDEN_S, RESERVE_S, SliceEnd
from bg_ingest.exporting.export_service import TooManyExports
from bg_ingest.readings.model import Reading
from tests.contract.export_world import CALLER, MONTHS, NOW, SPAN, ExportWorld
from tests.contract.stepped import At, Crash, HalfWay, crash
from tests.contract.test_erasing import AtNthStep

if TYPE_CHECKING:
    from bg_ingest.exporting.export_job import ExportJob

SERVICE = of_service("reporting")
PEOPLE = ("ada", "bob", "eva")
PAIR = ("ada", "bob")  # Where every step is tried. The step after a call equals the step before the next one.


@pytest.fixture
def exports() -> ExportWorld:
    """Three users with three months of readings."""
    world = ExportWorld()
    world.connect(*PEOPLE)
    return world


def _order_all(world: ExportWorld) -> ExportJob:
    return world.service().order(SERVICE, SPAN, CALLER, None)


def test_an_export_has_a_file_for_each_month(exports: ExportWorld) -> None:
    """The manifest describes each file, and the months of the range end where the range ends."""
    job = exports.service().order(of_user("ada"), SPAN, CALLER, ["ada"])
    result = exports.deliver()

    assert result.end is SliceEnd.SUCCEEDED
    exports.check(job.key, "ada")
    (files,) = exports.service().page(job.key, "", 1_000).files
    assert [name.rpartition("readings-")[2] for name in exports.files(job.key)["ada"]] == [
        "20260210T000000Z-20260301T000000Z.parquet",
        "20260301T000000Z-20260401T000000Z.parquet",
        "20260401T000000Z-20260426T120000Z.parquet",
    ]
    assert [file.slots_expected for file in files.files] == [19 * 288, 31 * 288, 25 * 288 + 144]
    assert [file.slots_received for file in files.files] == [1, 1, 1]
    assert result.job is not None
    assert result.job.progress() == {"done": MONTHS, "total": MONTHS}
    assert result.job.totals.rows == MONTHS


def test_an_export_of_all_users_has_each_user_once(exports: ExportWorld) -> None:
    """Only the service that ordered it finds it, and the audit of each user names the service."""
    job = _order_all(exports)
    exports.deliver()

    exports.check(job.key, *PEOPLE)
    assert exports.service().get(replace(job.key, owner=of_service("other"))) is None
    audit = Audit(Table(exports.dynamo, "users"), exports.clock, 365)
    for user_id in PEOPLE:
        (entry,) = audit.newest_first(user_id)
        assert (entry.actor, entry.action, entry.outcome) == ("reporting", "POST /api/exports", "done")


def test_chosen_users_are_exported_and_unknown_ones_are_not(exports: ExportWorld) -> None:
    """A user without readings has no file, no record and no audit entry."""
    job = exports.service().order(SERVICE, SPAN, CALLER, ["eva", "ada", "unknown", "ada"])
    exports.deliver()

    exports.check(job.key, "ada", "eva")
    assert list(Audit(Table(exports.dynamo, "users"), exports.clock, 365).newest_first("unknown")) == []
    assert all("unknown" not in pk for pk, _ in exports.dynamo.tables["users"])


def test_an_export_that_runs_out_of_time_is_continued(exports: ExportWorld) -> None:
    """Each slice continues after the last month that is recorded, and no file is made twice."""
    job = _order_all(exports)
    made: list[str] = []
    slices = 0
    while exports.queue and slices < 99:
        times = iter([110.0, 110.0, *[RESERVE_S - 1] * 9])
        run = exports.run(lambda step: made.append(step) if step == "after put_object" else None)
        slices += 1
        run.run(exports.delivery(exports.queue.pop(0), lambda times=times: next(times)))  # type: ignore[misc]

    exports.check(job.key, *PEOPLE)
    assert slices > len(PEOPLE)
    assert len(made) == len(PEOPLE) * (MONTHS + 1)  # With the manifests.


def test_an_export_is_of_one_instant(exports: ExportWorld) -> None:
    """A reading that is stored between two slices is in no file."""
    job = _order_all(exports)
    times = iter([110.0, RESERVE_S - 1])
    exports.run().run(exports.delivery(exports.queue.pop(0), lambda: next(times)))
    exports.clock.advance(60)
    exports.readings().save("eva", [Reading(NOW - timedelta(days=3), 300)], exports.clock.now())
    exports.deliver()

    assert exports.service().page(job.key, "bob", 9).files[0].files[-1].rows == 1


@pytest.mark.exhaustive
def test_an_export_that_crashes_is_completed(exports: ExportWorld) -> None:
    """The process dies at each step; the message is delivered again, and the manifest is right."""
    steps = _steps(exports)
    for step in steps:
        world = ExportWorld()
        world.connect(*PAIR)
        job = _order_all(world)
        with pytest.raises(Crash):
            world.deliver(AtNthStep(step, crash))
        world.deliver_again()

        world.check(job.key, *PAIR)


@pytest.mark.exhaustive
def test_a_process_that_was_paused_does_no_harm(exports: ExportWorld) -> None:
    """It is paused at each step until its claim has expired; it resumes while another process works."""
    steps = _steps(exports)
    chance = random.Random(20)  # noqa: S311 - the same steps every time.
    for step in steps:
        for other_step in (0, *chance.sample(steps, 2)):
            world = ExportWorld()
            world.connect(*PAIR)
            job = _order_all(world)
            (message,) = world.queue
            paused = HalfWayAtNthStep(step)
            paused.start(partial(world.run(paused).run, world.delivery(message)))
            world.clock.advance(HIDDEN_S)
            other = AtNthStep(other_step, paused.finish)
            world.deliver(other)
            if other.steps < other_step or not other_step:
                paused.finish()
            world.queue.append(message)
            world.deliver_again()

            world.check(job.key, *PAIR)


def test_a_claim_lasts_as_long_as_its_process(exports: ExportWorld) -> None:
    """Each month takes long: the claim is renewed, and the message stays hidden from one to the next."""
    _order_all(exports)
    (message,) = exports.queue
    others: list[SliceEnd] = []

    def take_long(step: str) -> None:
        if step == "before put_object":
            others.append(exports.run().run(exports.delivery(message)).end)
            exports.clock.advance(RESERVE_S)

    assert exports.deliver(take_long).end is SliceEnd.SUCCEEDED
    assert len(others) * RESERVE_S > 2 * CLAIM_S
    assert set(others) == {SliceEnd.BUSY}
    assert exports.hidden == [HIDDEN_S] * (1 + len(PEOPLE) * MONTHS)


def test_a_killed_export_continues_within_its_claim(exports: ExportWorld) -> None:
    """The time counts from the last renewal, and months that are recorded are not made again."""
    job = _order_all(exports)
    made: list[str] = []
    with pytest.raises(Crash):
        exports.deliver(At("before put_object", crash, nth=MONTHS))
    exports.clock.advance(CLAIM_S + 1)
    exports.deliver(lambda step: made.append(step) if step == "before put_object" else None)

    exports.check(job.key, *PEOPLE)
    assert len(made) == len(PEOPLE) * (MONTHS + 1) - (MONTHS - 1)


@pytest.mark.exhaustive
def test_an_erasure_takes_the_files_out_of_the_sums(exports: ExportWorld) -> None:
    """Once, also if the eraser dies at any step and the erasure is repeated."""
    job = _order_all(exports)
    exports.deliver()
    exports.check(job.key, *PEOPLE)
    counted = AtNthStep(0, crash)
    exports.eraser(counted).erase("eva", lambda: 29.0)
    exports.check(job.key, "ada", "bob")

    for step in range(1, counted.steps + 1):
        world = ExportWorld()
        world.connect(*PAIR)
        job = _order_all(world)
        world.deliver()
        with pytest.raises(Crash):
            world.eraser(AtNthStep(step, crash)).erase("bob", lambda: 29.0)
        world.erase("bob")
        world.take_second_looks()

        world.check(job.key, "ada")


def test_an_erased_user_has_no_unreadable_months(exports: ExportWorld) -> None:
    """The months of a user without any readable one are counted, and no longer after the erasure."""
    for day in ("2026-02-20T10", "2026-03-05T10", "2026-04-05T10"):
        broken = {"pk": "bob", "sk": day, "readings": "?", "version": 1, "expires_at": 9_999_999_999}
        Table(exports.dynamo, "readings").put(broken)
    job = _order_all(exports)
    exports.deliver()
    found = exports.service().get(job.key)
    assert found is not None
    assert (found.totals.users, found.totals.unreadable) == (len(PEOPLE) - 1, MONTHS)
    exports.erase("bob")

    exports.check(job.key, "ada", "eva")


@pytest.mark.exhaustive
def test_an_erasure_during_an_export_leaves_no_file(exports: ExportWorld) -> None:
    """The export is paused at each step, a user is erased, and the export continues to its end."""
    steps = _steps(exports)

    for step in steps:
        world = ExportWorld()
        world.connect(*PAIR)
        job = _order_all(world)
        world.deliver(AtNthStep(step, lambda w=world: w.erase("bob")))  # type: ignore[misc]

        world.check(job.key, "ada")
        world.take_second_looks()
        _check_erased(world, "bob")


@pytest.mark.exhaustive
def test_an_erasure_after_a_crash_leaves_no_file(exports: ExportWorld) -> None:
    """The process dies at each step, a user is erased, and the message is delivered again."""
    steps = _steps(exports)

    for step in steps:
        world = ExportWorld()
        world.connect(*PAIR)
        job = _order_all(world)
        with pytest.raises(Crash):
            world.deliver(AtNthStep(step, crash))
        world.erase("bob")
        world.take_second_looks()
        world.deliver_again()

        world.check(job.key, "ada")
        _check_erased(world, "bob")


def test_an_erasure_removes_an_export_of_the_user(exports: ExportWorld) -> None:
    """The record, its files and their objects are gone, and the receipt counts them."""
    job = exports.service().order(of_user("ada"), SPAN, CALLER, ["ada"])
    exports.deliver()
    receipt = exports.eraser().erase("ada", lambda: 29.0)

    assert exports.service().get(job.key) is None
    assert exports.bucket.found == {}
    assert (receipt.removed["exports"], receipt.removed["export_files"]) == (1, MONTHS + 1)
    _check_erased(exports, "ada")


@pytest.mark.exhaustive
def test_an_export_that_is_removed_leaves_no_file(exports: ExportWorld) -> None:
    """The export is removed while it runs, at each step; nothing is listed or stored afterwards."""
    steps = _steps(exports)

    for step in steps:
        world = ExportWorld()
        world.connect(*PAIR)
        job = _order_all(world)
        remove = lambda w=world, key=job.key: w.service().remove(key, lambda: 29.0)  # noqa: E731
        world.deliver(AtNthStep(step, remove))

        assert world.service().get(job.key) is None
        assert world.bucket.found == {}, f"removed at step {step}"
        assert not world.service().remove(job.key, lambda: 29.0)


@pytest.mark.exhaustive
def test_an_export_removed_after_a_crash_leaves_no_file(exports: ExportWorld) -> None:
    """The process dies at each step and its export is removed; the message that comes again cleans up."""
    steps = _steps(exports)

    for step in steps:
        world = ExportWorld()
        world.connect(*PAIR)
        job = _order_all(world)
        with pytest.raises(Crash):
            world.deliver(AtNthStep(step, crash))
        world.service().remove(job.key, lambda: 29.0)
        world.deliver_again()

        assert world.bucket.found == {}, f"died at step {step}"


def test_a_removal_without_time_is_finished_by_the_queue(exports: ExportWorld) -> None:
    """The export is gone at once, and its objects with the next message."""
    job = _order_all(exports)
    exports.deliver()

    assert exports.service().remove(job.key, lambda: 1.0)
    assert exports.service().get(job.key) is None
    assert exports.bucket.found
    exports.deliver_again()
    assert exports.bucket.found == {}


def test_two_processes_never_work_on_one_export(exports: ExportWorld) -> None:
    """A message that is delivered twice stays in the queue; once the export is done it is dropped."""
    _order_all(exports)
    message = exports.queue[0]
    others: list[SliceEnd] = []

    def deliver_twice() -> None:
        others.append(exports.run().run(exports.delivery(message)).end)

    exports.deliver(AtNthStep(30, deliver_twice))
    exports.clock.advance(HIDDEN_S)

    assert others == [SliceEnd.BUSY]
    assert exports.run().run(exports.delivery(message)).end is SliceEnd.DROPPED


def test_a_month_that_cannot_be_read_stops_no_other(exports: ExportWorld) -> None:
    """The month has no file and is counted; all other months and users are complete."""
    broken = {"pk": "bob", "sk": "2026-03-05T10", "readings": "?", "version": 1, "expires_at": 9_999_999_999}
    Table(exports.dynamo, "readings").put(broken)
    job = _order_all(exports)
    result = exports.deliver()

    assert result.job is not None
    assert (result.job.totals.unreadable, result.job.totals.files) == (1, 3 * MONTHS - 1)
    assert [len(names) for names in exports.files(job.key).values()] == [MONTHS, MONTHS - 1, MONTHS]


def test_an_owner_has_three_unfinished_exports_at_most(exports: ExportWorld) -> None:
    """One that finished, failed or was lost no longer counts."""
    for _ in range(UNFINISHED_MAX):
        last = _order_all(exports)
    with pytest.raises(TooManyExports):
        _order_all(exports)
    exports.jobs().end(last.key, ExportStatus.FAILED)
    _order_all(exports)
    exports.clock.advance(86_400)

    assert exports.service().jobs.unfinished(SERVICE) == 0
    exports.service().order(of_user("ada"), SPAN, CALLER, ["ada"])


def test_an_export_that_cannot_be_queued_has_failed(exports: ExportWorld) -> None:
    """The caller gets the error, and the export does not count as unfinished."""

    def refuse(_: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        replace(exports.service(), send=refuse).order(SERVICE, SPAN, CALLER, None)
    assert exports.jobs().unfinished(SERVICE) == 0


def test_an_expired_export_is_unknown(exports: ExportWorld) -> None:
    """DynamoDB removes expired items late, so readers check the time."""
    job = _order_all(exports)
    exports.deliver()
    exports.clock.advance(7 * 86_400)

    assert exports.service().get(job.key) is None
    assert exports.files(job.key) == {}


def test_the_pages_of_an_export_hold_each_file_once(exports: ExportWorld) -> None:
    """A page ends with the user who reaches its limit."""
    job = _order_all(exports)
    exports.deliver()
    for limit in (1, MONTHS, MONTHS + 1, 1_000):
        found, after = [], ""
        while True:
            page = exports.service().page(job.key, after, limit)
            found += [files.user_id for files in page.files]
            if page.last is None:
                break
            after = page.last
        assert found == list(PEOPLE)


class HalfWayAtNthStep(HalfWay):
    """A thread that pauses at its nth step of any kind."""

    def __init__(self, nth: int) -> None:
        super().__init__("")
        self._nth_step = AtNthStep(nth, self._stop)

    def __call__(self, step: str) -> None:
        """Count the step, and pause if this is the step."""
        self._nth_step(step)


def _steps(world: ExportWorld) -> range:
    """Every second step of an export of two users."""
    counted = AtNthStep(0, lambda: None)
    world.service().order(SERVICE, SPAN, CALLER, PAIR)
    world.deliver(counted)
    assert counted.steps > 60
    return range(1, counted.steps + 1, 2)


def _check_erased(world: ExportWorld, user_id: str) -> None:
    """Nothing names the user but the receipt; the other users' objects are all there are."""
    for table in world.dynamo.tables.values():
        for pk, sk in table:
            assert user_id not in pk.split("#") or sk.startswith("receipt#")
    prefixes = {key.split("/")[1] for key in world.bucket.found}
    assert ExportObjects(world.bucket, "exports").remove_all_of(user_id) == 0
    assert len(prefixes) <= len(PEOPLE) - 1
