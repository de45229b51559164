from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.faults.fault_list import FAULTS_MAX, FaultList, TooManyFaults
from dexcom_sim.faults.response_faults import Dropped, FullApplication, Maintenance, StatusFault
from dexcom_sim.faults.targeting import IncomingCall
from tests.simulators.dexcom.visitor import EGVS, TOKEN, new_visitor

CALL = IncomingCall(EGVS, "ana")


def statuses(
    fault_list: FaultList, calls: int, call: IncomingCall = CALL, now_s: int = 0
) -> list[int | None]:
    """The status of the fault that acts on each of so many calls; None if no fault acts."""
    faults = [fault_list.response_fault(call, now_s) for _ in range(calls)]
    return [fault.status if isinstance(fault, StatusFault) else None for fault in faults]


def test_response_faults_act_in_the_order_they_were_added() -> None:
    """Two 503s and then a 429 give exactly this sequence; the next call succeeds."""
    fault_list = FaultList(1)
    fault_list.add(StatusFault(status=503, times=2), 0)
    fault_list.add(StatusFault(status=429, times=1), 0)

    assert statuses(fault_list, 4) == [503, 503, 429, None]


@given(st.integers(0, 10), st.integers(1, 10))
def test_skip_and_times_select_calls(skip: int, times: int) -> None:
    """The fault ignores the first `skip` calls, acts on `times` calls, and then ends."""
    fault_list = FaultList(1)
    fault_list.add(StatusFault(status=500, skip=skip, times=times), 0)

    assert statuses(fault_list, skip + times + 5) == [None] * skip + [500] * times + [None] * 5


@pytest.mark.parametrize(
    ("target", "call", "hit"),
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
def test_a_fault_acts_on_its_user_and_path_only(
    target: dict[str, str], call: IncomingCall, *, hit: bool
) -> None:
    """A fault can select by user, by path, by both or by neither; `*` matches any text."""
    fault_list = FaultList(1)
    fault_list.add(StatusFault.model_validate({"status": 500, **target}), 0)

    assert (fault_list.response_fault(call, 0) is not None) is hit


@given(st.integers(0, 2**32), st.floats(0.2, 0.8))
def test_a_rate_follows_the_seed(seed: int, rate: float) -> None:
    """The same seed selects the same calls, and about as many as the rate says."""
    lists = [FaultList(seed), FaultList(seed)]
    for fault_list in lists:
        fault_list.add(StatusFault(status=500, rate=rate), 0)
    first, second = (statuses(fault_list, 400) for fault_list in lists)

    assert first == second
    assert abs(first.count(500) / 400 - rate) < 0.15


def test_a_fault_ends_after_its_time() -> None:
    """A fault with `lasts_s` acts until that many seconds have passed."""
    fault_list = FaultList(1)
    fault_list.add(StatusFault(status=500, lasts_s=60), 1_000)

    assert fault_list.response_fault(CALL, 1_059) is not None
    assert fault_list.response_fault(CALL, 1_060) is None


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
def test_some_faults_depend_on_the_grant_type(
    fault: Maintenance | FullApplication, grant_type: str, *, is_new: bool, hit: bool
) -> None:
    """Maintenance refuses refreshes only; a full application refuses new users only."""
    fault_list = FaultList(1)
    fault_list.add(fault, 0)

    assert (fault_list.response_fault(IncomingCall(TOKEN, "ana", grant_type, is_new), 0) is not None) is hit


def test_record_faults_act_beside_a_response_fault() -> None:
    """One call can get a response fault and several record faults, and each of them counts it."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.add_fault("unordered")
    visitor.add_fault("plural_record_type")
    visitor.add_fault("slow_headers", wait_s=1)
    visitor.day(tokens)

    assert [it["struck"] for it in visitor.client.get("/_sim/faults").json()["faults"]] == [1, 1, 1]


def test_the_number_of_faults_is_limited() -> None:
    """The thousand-and-first fault is refused."""
    fault_list = FaultList(1)
    for _ in range(FAULTS_MAX):
        fault_list.add(Dropped(), 0)

    with pytest.raises(TooManyFaults):
        fault_list.add(Dropped(), 0)


def test_a_used_up_fault_stays_listed_until_cleared() -> None:
    """The list shows how many calls each fault matched and acted on; one fault can be cleared alone."""
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
def test_an_invalid_fault_is_rejected(wrong: dict[str, object]) -> None:
    """A fault with a missing, unknown or invalid member is rejected and nothing is started."""
    client = new_visitor().client

    assert client.post("/_sim/faults", json=wrong).status_code == 422
    assert client.get("/_sim/faults").json() == {"faults": []}


def test_a_fault_added_in_python_is_listed_over_http() -> None:
    """`add_fault` of the simulator takes the same faults as the control API."""
    visitor = new_visitor()
    fault = StatusFault(status=429, retry_after_s=7)
    standing = visitor.simulator.add_fault(fault)

    assert standing is not None
    assert visitor.client.get("/_sim/faults").json()["faults"] == [standing.report()]
