import re
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime

import pytest

from bg_ingest.access.caller import Caller
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.erasing.erase import SECOND_LOOK_S, Eraser
from bg_ingest.erasing.receipt import ErasureActor
from bg_ingest.sync.jobs import Jobs
from tests.contract.account_world import AccountWorld, kinds
from tests.contract.stepped import Crash, HalfWay, crash
from tests.contract.token_world import TokenProvider, TokenWorld
from tests.support.fakes import NOON, FakeClock
from tests.support.moto_kms import kms_client, quick_key


@pytest.fixture
def accounts(
    users_table: Table, readings_table: Table, intake_table: Table, clock: FakeClock
) -> AccountWorld:
    """Empty tables."""
    kms = kms_client()
    world = TokenWorld(users_table, kms, quick_key(kms), clock, TokenProvider(clock))
    return AccountWorld(world, readings_table, intake_table, clock)


def plenty() -> float:
    """The time that an erasure has left, in seconds."""
    return 29.0


class AtNthStep:
    """An action at the nth step of a process, of any kind; all steps are counted."""

    def __init__(self, nth: int, action: Callable[[], object]) -> None:
        self.nth = nth
        self.action = action
        self.steps = 0

    def __call__(self, step: str) -> None:
        """Count the step, and take the action if this is its step."""
        assert step
        self.steps += 1
        if self.steps == self.nth:
            self.action()


class EndingWorker(FakeClock):
    """The clock of a process that waits for a worker, which ends meanwhile."""

    def __init__(self, worker: HalfWay, start: datetime = NOON) -> None:
        super().__init__(start)
        self.worker = worker

    def sleep(self, wait_s: float) -> None:
        """Let the worker end."""
        super().sleep(wait_s)
        self.worker.finish()


def test_an_erasure_leaves_only_its_receipt(accounts: AccountWorld) -> None:
    """Readings, tokens, jobs, logins and audit entries are removed and counted."""
    accounts.connect("ada")
    accounts.connect("bob")
    accounts.backfill("ada")
    before = accounts.stored_about("bob")
    receipt = accounts.eraser().erase("ada", plenty)

    assert kinds(accounts.stored_about("ada")) == {"receipt"}
    assert receipt.erased_at == accounts.clock.now()
    assert receipt.as_json()["removed"] == {
        "hours": 7,
        "readings": 7,
        "jobs": 1,
        "audit_entries": 1,
        "connections": 1,
        "logins": 1,
        "sync_states": 1,
        "days": 21,  # One for each day of the history.
    }
    assert accounts.stored_about("bob") == before


@pytest.mark.parametrize(("form", "size"), [("quiet", 38), ("polls", 54)])
def test_records_of_quiet_polls_are_removed_as_jobs(accounts: AccountWorld, form: str, size: int) -> None:
    """Five in the sync item, of either form, and six in an item of their own."""
    accounts.connect("ada")
    users, clock = accounts.world.table, accounts.clock
    record = bytes.fromhex(new_id(clock.now())).ljust(size, b"1")
    users.update("ada", "sync", f"SET {form} = :polls", {":polls": 5 * record})
    assert Jobs(users, clock).save_polls("ada", 6 * record[:38]) == b""

    receipt = accounts.eraser().erase("ada", plenty)

    assert kinds(accounts.stored_about("ada")) == {"receipt"}
    removed = receipt.as_json()["removed"]
    assert (removed["jobs"], removed["sync_states"]) == (11, 1)


def test_quiet_polls_of_a_paused_worker_are_removed_later(accounts: AccountWorld) -> None:
    """Their item names no fence, so the second look removes it."""
    accounts.connect("ada")
    record = bytes.fromhex(new_id(accounts.clock.now())).ljust(38, b"1")
    accounts.eraser().erase("ada", plenty)
    assert Jobs(accounts.world.table, accounts.clock).save_polls("ada", 6 * record) == b""
    accounts.clock.advance(SECOND_LOOK_S)

    accounts.eraser().second_look("ada", plenty)

    assert kinds(accounts.stored_about("ada")) == {"receipt"}


@pytest.mark.parametrize(
    ("caller", "kind"),
    [
        (Caller("subject-1", "ada", frozenset()), "person"),
        (Caller("reporting", None, frozenset()), "service"),
    ],
)
def test_the_receipt_names_its_actor_by_a_hash(accounts: AccountWorld, caller: Caller, kind: str) -> None:
    """The receipt says whether the user or a service asked, and a repetition by another caller keeps it."""
    accounts.connect("ada")
    unfinished = accounts.eraser().erase("ada", lambda: 1.0, ErasureActor.of(caller))
    repeated = accounts.eraser().erase("ada", plenty, ErasureActor("other", None))
    accounts.let_everything_end()

    actor = repeated.as_json()["actor"]
    assert actor["kind"] == kind
    assert re.fullmatch("[0-9a-f]{16}", actor["id"])
    assert unfinished.actor == repeated.actor
    assert caller.actor not in str(repeated)


def test_a_repeated_erasure_returns_the_same_receipt(accounts: AccountWorld) -> None:
    """A second erasure finds nothing to remove and adds no receipt."""
    accounts.connect("ada")
    first = accounts.eraser().erase("ada", plenty)
    accounts.clock.advance(5)

    assert accounts.eraser().erase("ada", plenty) == first
    assert len(accounts.stored_about("ada")) == 1


def test_an_unknown_user_is_erased_like_any_other(accounts: AccountWorld) -> None:
    """The answer does not show whether data existed."""
    assert accounts.eraser().erase("nobody", plenty).as_json()["removed"] == {
        "hours": 0,
        "readings": 0,
        "jobs": 0,
        "audit_entries": 0,
    }


@pytest.mark.exhaustive
@pytest.mark.parametrize(("kind", "steps_min"), [("backfill", 20), ("poll", 6)])
def test_an_erasure_during_a_sync_leaves_nothing(accounts: AccountWorld, kind: str, steps_min: int) -> None:
    """The worker is paused at each step, the user is erased, and the worker continues to its end."""
    sync = {"backfill": accounts.backfill, "poll": accounts.poll}[kind]
    accounts.connect("counted")
    counted = AtNthStep(0, lambda: None)
    sync("counted", counted)
    assert counted.steps > steps_min

    for step in range(1, counted.steps + 1):
        user_id = f"ada-{step}"
        accounts.connect(user_id)
        eraser = accounts.eraser()
        sync(user_id, AtNthStep(step, lambda e=eraser, u=user_id: e.erase(u, plenty)))  # type: ignore[misc]
        accounts.let_everything_end()

        assert kinds(accounts.stored_about(user_id)) == {"receipt"}, f"paused at step {step}"


@pytest.mark.exhaustive
def test_an_erasure_during_a_webhook_leaves_nothing(accounts: AccountWorld) -> None:
    """Receiving and storing are paused at each step, the user is erased, and they continue to their end."""
    accounts.connect("counted")
    receiving, storing = AtNthStep(0, lambda: None), AtNthStep(0, lambda: None)
    accounts.receive("counted", receiving)
    accounts.store_records(accounts.orders[-1], storing)

    # Every second step: the step after a call equals the step before the next one.
    for step in range(1, receiving.steps + storing.steps + 1, 2):
        user_id = f"ada-{step}"
        accounts.connect(user_id)
        eraser = accounts.eraser()
        erase = lambda e=eraser, u=user_id: e.erase(u, plenty)  # noqa: E731
        known = len(accounts.orders)
        accounts.receive(user_id, AtNthStep(step, erase))
        for order in accounts.orders[known:]:
            accounts.store_records(order, AtNthStep(step - receiving.steps, erase))
        accounts.let_everything_end()

        assert kinds(accounts.stored_about(user_id)) == {"receipt"}, f"paused at step {step}"


def test_an_erasure_waits_for_a_sync_that_is_ending(accounts: AccountWorld) -> None:
    """Without tokens a sync ends at its next call, and a short wait prevents late writes."""
    worker = HalfWay("after fetch")
    clock = EndingWorker(worker)
    accounts.connect("ada")
    worker.start(lambda: accounts.backfill("ada", worker))
    accounts.eraser(clock=clock).erase("ada", plenty)

    assert clock.naps == [0.5]
    assert kinds(accounts.stored_about("ada")) == {"receipt"}


def test_an_erasure_waits_for_a_poll_that_was_ordered(accounts: AccountWorld) -> None:
    """A poll takes no lease; the dispatcher says that one may run, and its end that it has finished."""
    accounts.connect("ada")
    accounts.order_polls(900)
    worker = HalfWay("after fetch")
    clock = EndingWorker(worker, accounts.clock.now())
    worker.start(lambda: accounts.poll("ada", worker))
    accounts.eraser(clock=clock).erase("ada", plenty)

    assert clock.naps == [0.5]
    assert kinds(accounts.stored_about("ada")) == {"receipt"}


@pytest.mark.parametrize(("fails", "waits"), [(False, 0), (True, 10)])
def test_an_erasure_after_a_poll_waits_only_for_its_retry(
    accounts: AccountWorld, *, fails: bool, waits: int
) -> None:
    """The next poll finds no connection, so it is not waited for; a failed poll may be running again."""
    accounts.connect("ada")
    accounts.order_polls(900)
    turn = AtNthStep(3, crash) if fails else AtNthStep(0, crash)
    with pytest.raises(Crash) if fails else nullcontext():
        accounts.poll("ada", turn)
    began = accounts.clock.now()
    receipt = accounts.eraser().erase("ada", plenty)

    assert receipt.erased_at
    assert (receipt.erased_at - began).total_seconds() == waits


def test_an_erasure_waits_for_no_poll_that_is_still_to_come(accounts: AccountWorld) -> None:
    """Its minute has begun, and the tick that orders it has not."""
    accounts.connect("ada")
    accounts.clock.advance(900)
    began = accounts.clock.now()

    assert accounts.eraser().erase("ada", plenty).erased_at == began


def test_an_erasure_waits_ten_seconds_at_most(accounts: AccountWorld) -> None:
    """A crashed worker holds its lease for minutes, so the erasure does not wait for the lease's end."""
    accounts.connect("ada")
    with pytest.raises(Crash):
        accounts.backfill("ada", _crash_at("after fetch"))
    began = accounts.clock.now()
    receipt = accounts.eraser().erase("ada", plenty)

    assert receipt.erased_at is not None
    assert (receipt.erased_at - began).total_seconds() <= 10
    assert kinds(accounts.stored_about("ada")) == {"receipt"}


@pytest.mark.exhaustive
def test_an_erasure_that_crashes_is_completed(accounts: AccountWorld) -> None:
    """After a crash at any step, the second look finishes the erasure and its receipt."""
    accounts.connect("counted")
    counted = AtNthStep(0, lambda: None)
    accounts.eraser(counted).erase("counted", plenty)

    for step in range(3, counted.steps + 1):
        user_id = f"ada-{step}"
        accounts.connect(user_id)
        with pytest.raises(Crash):
            accounts.eraser(AtNthStep(step, crash)).erase(user_id, plenty)
        accounts.let_everything_end()

        assert kinds(accounts.stored_about(user_id)) == {"receipt"}, f"died at step {step}"
        receipt = accounts.eraser().receipts.newest(user_id)
        assert receipt is not None
        assert receipt.erased_at is not None


def test_an_erasure_that_runs_out_of_time_is_completed(accounts: AccountWorld) -> None:
    """An unfinished erasure returns a receipt without a time, and each item is counted once."""
    accounts.connect("ada")
    accounts.backfill("ada")
    unfinished = accounts.eraser().erase("ada", lambda: 1.0)
    assert unfinished.erased_at is None
    assert accounts.looks == [("ada", SECOND_LOOK_S), ("ada", 0)]

    accounts.let_everything_end()
    receipt = accounts.eraser().receipts.newest("ada")
    assert receipt is not None
    assert receipt.receipt_id == unfinished.receipt_id
    assert (receipt.removed["hours"], receipt.removed["readings"]) == (7, 7)
    assert kinds(accounts.stored_about("ada")) == {"receipt"}


def test_a_user_who_connects_again_keeps_new_data(accounts: AccountWorld) -> None:
    """The second look removes only data from before the erasure."""
    accounts.connect("ada")
    accounts.eraser().erase("ada", plenty)
    accounts.clock.advance(1)
    accounts.connect("ada")
    accounts.let_everything_end()

    assert kinds(accounts.stored_about("ada")) >= {"receipt", "connection", "sync", "login"}
    assert accounts.world.connections.get("ada") is not None


def test_an_audit_entry_after_an_erasure_is_kept(accounts: AccountWorld) -> None:
    """A request for an erased user's data stays in the audit."""
    accounts.connect("ada")
    accounts.eraser().erase("ada", plenty)
    accounts.clock.advance(1)
    audit = accounts.deps().audit
    late = audit.save(audit.new_entry("ada", actor="eve", action="GET /x", correlation_id="c"))
    accounts.let_everything_end()

    assert list(audit.newest_first("ada")) == [late]


def test_an_erasure_removes_more_than_one_batch(accounts: AccountWorld) -> None:
    """More hours than one batch holds are removed, including hours that cannot be read."""
    for hour in range(60):
        accounts.readings_table.put(
            {"pk": "ada", "sk": f"2026-01-{hour:02d}T00", "readings": "?", "version": 1}
        )
    receipt = accounts.eraser().erase("ada", plenty)

    assert (receipt.removed["hours"], receipt.removed.get("readings", 0)) == (60, 0)
    assert kinds(accounts.stored_about("ada")) == {"receipt"}


def test_the_repr_of_a_receipt_contains_no_user_id(accounts: AccountWorld) -> None:
    """A receipt that is logged shows no user id; the id here cannot occur in hexadecimal digits."""
    receipt = accounts.eraser().erase("olga", plenty)

    assert "olga" not in repr(receipt)
    assert isinstance(accounts.eraser(), Eraser)


def _crash_at(step: str) -> Callable[[str], None]:
    def turn(now: str) -> None:
        if now == step:
            crash()

    return turn
