from collections.abc import Callable

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.erasing.erase import SECOND_LOOK_S, Eraser
from tests.contract.people import People, kinds
from tests.contract.stepped import Crash, HalfWay, crash
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.fakes import FakeClock
from tests.support.moto_kms import kms_client, quick_key


@pytest.fixture
def people(users_table: Table, readings_table: Table, clock: FakeClock) -> People:
    """Nobody yet."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    return People(world, readings_table, clock)


def plenty() -> float:
    """What an erasure has left."""
    return 29.0


class AtStep:
    """Does something at the nth step of a process, whatever step it is; counts them all."""

    def __init__(self, nth: int, deed: Callable[[], object]) -> None:
        self.nth = nth
        self.deed = deed
        self.steps = 0

    def __call__(self, step: str) -> None:
        """Take note, and do it when it is time."""
        assert step
        self.steps += 1
        if self.steps == self.nth:
            self.deed()


def test_an_erasure_leaves_only_its_receipt(people: People) -> None:
    """Readings, tokens, jobs, logins, audit: gone, and counted."""
    people.connect("ada")
    people.connect("bob")
    people.backfill("ada")
    before = people.stored_about("bob")
    receipt = people.eraser().erase("ada", plenty)

    assert kinds(people.stored_about("ada")) == {"receipt"}
    assert receipt.erased_at == people.clock.now()
    assert receipt.as_json()["removed"] == {
        "hours": 7,
        "readings": 7,
        "jobs": 1,
        "audit_entries": 1,
        "connections": 1,
        "logins": 1,
        "sync_states": 1,
        "days": 21,  # One for each of the history.
    }
    assert people.stored_about("bob") == before


def test_repeating_it_answers_with_the_same_receipt(people: People) -> None:
    """Nothing is left to remove, so nothing is added."""
    people.connect("ada")
    first = people.eraser().erase("ada", plenty)
    people.clock.advance(5)

    assert people.eraser().erase("ada", plenty) == first
    assert len(people.stored_about("ada")) == 1


def test_somebody_nobody_knows_is_erased_like_anybody(people: People) -> None:
    """The answer does not tell whether there was anything."""
    assert people.eraser().erase("nobody", plenty).as_json()["removed"] == {
        "hours": 0,
        "readings": 0,
        "jobs": 0,
        "audit_entries": 0,
    }


@pytest.mark.exhaustive
def test_nothing_is_left_wherever_a_backfill_was_when_its_user_was_erased(people: People) -> None:
    """Step by step: the worker is paused there, the person erased, and the worker goes on to its end."""
    people.connect("counted")
    counted = AtStep(0, lambda: None)
    people.backfill("counted", counted)
    assert counted.steps > 20

    for step in range(1, counted.steps + 1):
        user_id = f"ada-{step}"
        people.connect(user_id)
        eraser = people.eraser()
        people.backfill(user_id, AtStep(step, lambda e=eraser, u=user_id: e.erase(u, plenty)))  # type: ignore[misc]
        people.let_everything_end()

        assert kinds(people.stored_about(user_id)) == {"receipt"}, f"paused at step {step}"


@pytest.mark.exhaustive
def test_nothing_is_left_wherever_a_webhook_was_when_its_user_was_erased(people: People) -> None:
    """Taken in or carried out: it is paused there, the person erased, and it goes on to its end."""
    people.connect("counted")
    receiving, storing = AtStep(0, lambda: None), AtStep(0, lambda: None)
    people.receive("counted", receiving)
    people.store_records(people.orders[-1], storing)

    # Every second: right after a call is right before the next.
    for step in range(1, receiving.steps + storing.steps + 1, 2):
        user_id = f"ada-{step}"
        people.connect(user_id)
        eraser = people.eraser()
        erase = lambda e=eraser, u=user_id: e.erase(u, plenty)  # noqa: E731
        known = len(people.orders)
        people.receive(user_id, AtStep(step, erase))
        for order in people.orders[known:]:
            people.store_records(order, AtStep(step - receiving.steps, erase))
        people.let_everything_end()

        assert kinds(people.stored_about(user_id)) == {"receipt"}, f"paused at step {step}"


def test_an_erasure_waits_for_a_sync_that_is_about_to_end(people: People) -> None:
    """Without tokens it ends at its next call; then there is nothing that could come late."""

    class Clock(FakeClock):
        def sleep(self, wait_s: float) -> None:
            super().sleep(wait_s)
            worker.finish()

    worker, clock = HalfWay("after fetch"), Clock()
    people.connect("ada")
    worker.start(lambda: people.backfill("ada", worker))
    people.eraser(clock=clock).erase("ada", plenty)

    assert clock.naps == [0.5]
    assert kinds(people.stored_about("ada")) == {"receipt"}


def test_an_erasure_does_not_wait_for_ever(people: People) -> None:
    """A worker that died holds its lease for minutes; what it stored goes at once."""
    people.connect("ada")
    with pytest.raises(Crash):
        people.backfill("ada", _crash_at("after fetch"))
    began = people.clock.now()
    receipt = people.eraser().erase("ada", plenty)

    assert receipt.erased_at is not None
    assert (receipt.erased_at - began).total_seconds() <= 10
    assert kinds(people.stored_about("ada")) == {"receipt"}


@pytest.mark.exhaustive
def test_an_erasure_that_dies_is_carried_on(people: People) -> None:
    """Whatever step it died at, the second look finishes it, and the receipt says what was removed."""
    people.connect("counted")
    counted = AtStep(0, lambda: None)
    people.eraser(counted).erase("counted", plenty)

    for step in range(3, counted.steps + 1):
        user_id = f"ada-{step}"
        people.connect(user_id)
        with pytest.raises(Crash):
            people.eraser(AtStep(step, crash)).erase(user_id, plenty)
        people.let_everything_end()

        assert kinds(people.stored_about(user_id)) == {"receipt"}, f"died at step {step}"
        receipt = people.eraser().receipts.newest(user_id)
        assert receipt is not None
        assert receipt.erased_at is not None


def test_an_erasure_that_runs_out_of_time_goes_on_by_itself(people: People) -> None:
    """It says so by a receipt without a time, and counts everything once."""
    people.connect("ada")
    people.backfill("ada")
    unfinished = people.eraser().erase("ada", lambda: 1.0)
    assert unfinished.erased_at is None
    assert people.looks == [("ada", SECOND_LOOK_S), ("ada", 0)]

    people.let_everything_end()
    receipt = people.eraser().receipts.newest("ada")
    assert receipt is not None
    assert receipt.receipt_id == unfinished.receipt_id
    assert (receipt.removed["hours"], receipt.removed["readings"]) == (7, 7)
    assert kinds(people.stored_about("ada")) == {"receipt"}


def test_whoever_connects_again_keeps_what_is_new(people: People) -> None:
    """The second look is for what came late from before."""
    people.connect("ada")
    people.eraser().erase("ada", plenty)
    people.clock.advance(1)
    people.connect("ada")
    people.let_everything_end()

    assert kinds(people.stored_about("ada")) >= {"receipt", "connection", "sync", "login"}
    assert people.world.connections.get("ada") is not None


def test_what_is_recorded_after_an_erasure_stays(people: People) -> None:
    """Somebody who looked for an erased user is to be found in the audit."""
    people.connect("ada")
    people.eraser().erase("ada", plenty)
    people.clock.advance(1)
    audit = people.deps().audit
    late = audit.save(audit.new_entry("ada", actor="eve", action="GET /x", correlation_id="c"))
    people.let_everything_end()

    assert list(audit.newest_first("ada")) == [late]


def test_more_than_one_batch_is_removed(people: People) -> None:
    """An hour that cannot be read included."""
    for hour in range(60):
        people.readings_table.put(
            {"pk": "ada", "sk": f"2026-01-{hour:02d}T00", "readings": "?", "version": 1}
        )
    receipt = people.eraser().erase("ada", plenty)

    assert (receipt.removed["hours"], receipt.removed.get("readings", 0)) == (60, 0)
    assert kinds(people.stored_about("ada")) == {"receipt"}


def test_an_eraser_tells_nobodys_name(people: People) -> None:
    """A receipt's repr may end up in a log, beside an id in hexadecimal, which could spell "ada"."""
    receipt = people.eraser().erase("olga", plenty)

    assert "olga" not in repr(receipt)
    assert isinstance(people.eraser(), Eraser)


def _crash_at(step: str) -> Callable[[str], None]:
    def turn(now: str) -> None:
        if now == step:
            crash()

    return turn
