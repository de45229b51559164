"""The real engine under random faults.

The faults: crashes at every I/O step, pauses longer than a lease, lost and duplicate ticks, duplicate and
reordered messages. Also throttled tables, refused sends, clock steps, a failing provider and late data.

tests/simulation/README.md lists the breaks of the engine that this detects, and how to repeat a seed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.sync.job import Job, JobStatus
from bg_ingest.sync.job_history import JobHistory
from tests.simulation.world import INTERVAL_S, World
from tests.support.feed_reader import FeedReader

if TYPE_CHECKING:
    import pytest

CHUNK = 10
_ROUNDS = 800
_POLLED_AFTER = timedelta(seconds=2 * INTERVAL_S)


def _shown(world: World, user_id: str) -> dict[datetime, int]:
    """What the provider serves now."""
    return {it.at: world.provider.mg_dl(it) for it in world.provider.people[user_id]}


def _stored(world: World, user_id: str) -> dict[datetime, int]:
    everything = world.reading_store.between(
        user_id, world.clock.now() - timedelta(days=200), world.clock.now() + timedelta(days=2)
    )
    readings = [it.reading for it in everything]
    assert len({it.at for it in readings}) == len(readings), "stored twice"
    return {it.at: it.mg_dl for it in readings}


def _listed(world: World, user_id: str) -> list[Job]:
    """The jobs as the API lists them, page by page; each is there once, and is found by its id."""
    history = JobHistory(world.stores.jobs, world.stores.states)
    jobs = list(history.newest_first(user_id))
    pages: list[Job] = []
    while page := list(islice(history.newest_first(user_id, pages[-1].order.job_id if pages else None), 7)):
        pages += page
    ids = [job.order.job_id for job in jobs]
    assert ids == sorted(set(ids), reverse=True), "a job is listed twice"
    assert pages == jobs, "a page of jobs lacks one"
    assert all(history.get(user_id, job.order.job_id) == job for job in jobs), "a listed job is not found"
    return jobs


def _missing(world: World, user_id: str, since: datetime) -> list[datetime]:
    stored = _stored(world, user_id)
    polled_by_now = world.clock.now() - _POLLED_AFTER
    return [
        it.at
        for it in world.provider.visible(user_id, polled_by_now)
        if it.at >= since and it.at not in stored
    ]


def run(seed: int) -> None:
    """Run one seed: the world checks safety during the faults, and this checks completeness after them."""
    world = World(seed)
    world.rage(_ROUNDS)

    world.calm(minutes=60)
    for user_id in world.users:
        recent = world.clock.now() - timedelta(hours=23)
        assert not _missing(world, user_id, recent), "polls alone leave nothing of the last day behind"

    before = {user_id: _shown(world, user_id) for user_id in world.users}
    world.reconcile()
    for user_id in world.users:
        stored = _stored(world, user_id)
        assert not _missing(world, user_id, world.clock.now() - timedelta(days=200)), "incomplete"
        # A value that the provider revised while the reconciliation ran may have been fetched before.
        after = _shown(world, user_id)
        served = all(mg_dl in {before[user_id].get(at), after[at]} for at, mg_dl in stored.items())
        assert served, "an old value is served"
        state = world.stores.states.get(user_id)
        assert state is not None
        assert (state.backfill.done, state.running) == (True, None)
    for reader in (*world.readers, *map(FeedReader, world.users)):
        reader.catch_up(world.calm_feed)
        copied = {at: mg_dl for at, (mg_dl, _) in reader.copied.items()}
        assert copied == _stored(world, reader.user_id), "a reader of changes missed one"
    listed = [job for user_id in world.users for job in _listed(world, user_id)]
    counted = sum(job.counts.stored for job in listed)
    assert counted + world.pushed <= sum(len(_stored(world, user_id)) for user_id in world.users), (
        "counted twice"
    )
    assert all(job.is_over or job.order.job_id in world.dead_jobs() for job in listed), "a job is not over"
    for order in world.accepted:
        job = world.stores.jobs.get(order.user_id, order.job_id)
        assert job is not None
        assert job.status is JobStatus.SUCCEEDED or order.job_id in world.dead_jobs(), "an order was lost"
    assert not world.queue.messages


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a few seeds by default; `make simulation`, which CI runs, has a thousand."""
    if "first" in metafunc.fixturenames:
        metafunc.parametrize("first", range(0, metafunc.config.getoption("--seeds"), CHUNK))


def test_no_reading_is_lost_or_stored_twice(first: int) -> None:
    """After all faults every reading is stored exactly once."""
    for seed in range(first, first + CHUNK):
        run_noted(seed)


def run_noted(seed: int) -> None:
    """Run one seed; if it fails, add how to repeat it."""
    try:
        run(seed)
    except BaseException as broken:
        broken.add_note(f"again: .venv/bin/python -m tests.simulation {seed}")
        raise
