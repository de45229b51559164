from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.faults.fault_list import FAULTS_MAX, FaultList, TooManyFaults
from dexcom_sim.faults.response_faults import Dropped, FullApplication, Maintenance, StatusFault
from dexcom_sim.faults.targeting import IncomingCall
from tests.simulators.dexcom.visitor import EGVS, TOKEN, new_visitor

CALL = IncomingCall(EGVS, "ana")


def struck(book: FaultList, calls: int, call: IncomingCall = CALL, now_s: int = 0) -> list[int | None]:
    """The status each of so many calls would get; None when no fault strikes."""
    faults = [book.response_fault(call, now_s) for _ in range(calls)]
    return [fault.status if isinstance(fault, StatusFault) else None for fault in faults]


def test_faults_are_used_up_in_the_order_they_were_ordered() -> None:
    """Two 503s and then a 429 give exactly this sequence, and then all is well."""
    book = FaultList(1)
    book.add(StatusFault(status=503, times=2), 0)
    book.add(StatusFault(status=429, times=1), 0)

    assert struck(book, 4) == [503, 503, 429, None]


@given(st.integers(0, 10), st.integers(1, 10))
def test_some_calls_can_be_let_pass(skip: int, times: int) -> None:
    """The first calls pass, then so many are struck, then calls pass again."""
    book = FaultList(1)
    book.add(StatusFault(status=500, skip=skip, times=times), 0)

    assert struck(book, skip + times + 5) == [None] * skip + [500] * times + [None] * 5


@pytest.mark.parametrize(
    ("aim", "call", "hit"),
    [
        ({}, CALL, True),
        ({"user": "ana"}, CALL, True),
        ({"user": "ben"}, CALL, False),
        ({"user": "ana"}, IncomingCall(EGVS, None), False),
        ({"path": EGVS}, CALL, True),
        ({"path": "/v3/*"}, CALL, True),
        ({"path": "*/token"}, CALL, False),
    ],
)
def test_a_fault_hits_whom_it_is_aimed_at(aim: dict[str, str], call: IncomingCall, *, hit: bool) -> None:
    """By user, by path, by both or by neither; the star stands for anything."""
    book = FaultList(1)
    book.add(StatusFault.model_validate({"status": 500, **aim}), 0)

    assert (book.response_fault(call, 0) is not None) is hit


@given(st.integers(0, 2**32), st.floats(0.2, 0.8))
def test_a_rate_is_seeded(seed: int, rate: float) -> None:
    """The same seed strikes the same calls, about as many as the rate says."""
    books = [FaultList(seed), FaultList(seed)]
    for book in books:
        book.add(StatusFault(status=500, rate=rate), 0)
    first, second = (struck(book, 400) for book in books)

    assert first == second
    assert abs(first.count(500) / 400 - rate) < 0.15


def test_a_fault_can_end_by_itself() -> None:
    """After its time is over it strikes no more."""
    book = FaultList(1)
    book.add(StatusFault(status=500, lasts_s=60), 1_000)

    assert book.response_fault(CALL, 1_059) is not None
    assert book.response_fault(CALL, 1_060) is None


@pytest.mark.parametrize(
    ("fault", "grant_type", "is_new", "hit"),
    [
        (Maintenance(), "refresh_token", False, True),
        (Maintenance(), "authorization_code", False, False),
        (Maintenance(), "", False, False),
        (FullApplication(), "authorization_code", True, True),
        (FullApplication(), "authorization_code", False, False),
        (FullApplication(), "refresh_token", False, False),
    ],
)
def test_some_faults_mind_the_grant(
    fault: Maintenance | FullApplication, grant_type: str, *, is_new: bool, hit: bool
) -> None:
    """Maintenance stops refreshes only; a full application refuses new people only."""
    book = FaultList(1)
    book.add(fault, 0)

    assert (book.response_fault(IncomingCall(TOKEN, "ana", grant_type, is_new), 0) is not None) is hit


def test_faults_of_records_do_not_take_calls() -> None:
    """A call may get a fault of the response and several of the records; each counts for itself."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("unordered")
    visitor.add_fault("plural_record_type")
    visitor.add_fault("slow_headers", wait_s=1)
    visitor.day(tokens)

    assert [it["struck"] for it in visitor.client.get("/_sim/faults").json()["faults"]] == [1, 1, 1]


def test_there_is_a_limit() -> None:
    """The thousand-and-first fault is refused."""
    book = FaultList(1)
    for _ in range(FAULTS_MAX):
        book.add(Dropped(), 0)

    with pytest.raises(TooManyFaults):
        book.add(Dropped(), 0)


def test_a_spent_fault_stays_listed_until_it_is_cleared() -> None:
    """The list tells how often each was asked and struck, and one can be taken back alone."""
    visitor = new_visitor()
    spent = visitor.add_fault("status", status=500, times=1, path="*/token")
    other = visitor.add_fault("dropped", user="SandboxUser1")
    visitor.exchange("x")
    visitor.exchange("x")
    listed = visitor.client.get("/_sim/faults").json()["faults"]

    assert listed[0] == {**spent, "matched": 1, "struck": 1}
    assert visitor.client.delete(f"/_sim/faults/{spent['id']}").status_code == 200
    assert visitor.client.delete(f"/_sim/faults/{spent['id']}").status_code == 404
    assert visitor.client.delete("/_sim/faults").json() == {"cleared": [other]}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "earthquake"},
        {"kind": "status"},
        {"kind": "status", "status": 99},
        {"kind": "status", "status": 500, "rate": 0},
        {"kind": "status", "status": 500, "times": 0},
        {"kind": "status", "status": 500, "typo": 1},
        {"kind": "quota", "calls_per_hour_max": 1, "user": "SandboxUser1"},
    ],
)
def test_a_wrong_order_is_refused(wrong: dict[str, object]) -> None:
    """What cannot be understood completely is not ordered at all."""
    client = new_visitor().client

    assert client.post("/_sim/faults", json=wrong).status_code == 422
    assert client.get("/_sim/faults").json() == {"faults": []}


def test_an_order_in_python_is_the_same_as_one_over_http() -> None:
    """SimulatedDexcom.order takes the same faults, and lists them the same."""
    visitor = new_visitor()
    fault = StatusFault(status=429, retry_after_s=7)
    standing = visitor.simulator.add_fault(fault)

    assert standing is not None
    assert visitor.client.get("/_sim/faults").json()["faults"] == [standing.report()]
