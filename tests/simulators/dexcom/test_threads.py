from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.simulators.dexcom.visitor import ANA, HOUR_S, new_visitor

THREADS = 32


def test_a_refresh_token_succeeds_in_one_thread_only() -> None:
    """Of 32 threads that use the same refresh token at once, exactly one gets new tokens."""
    visitor = new_visitor()
    token = visitor.connect()["refresh_token"]
    with ThreadPoolExecutor(THREADS) as pool:
        statuses = list(pool.map(lambda _: visitor.refresh(token).status_code, range(THREADS)))

    assert sorted(statuses) == [200] + [400] * (THREADS - 1)


def test_concurrent_calls_are_all_counted() -> None:
    """Under 32 threads the log has every call, and a fault with `times` 5 acts on five calls."""
    visitor = new_visitor()
    tokens = visitor.connect()
    visitor.client.delete("/_sim/calls")
    visitor.add_fault("status", status=503, times=5)

    def read(_: int) -> int:
        return visitor.egvs(tokens, visitor.now_s - HOUR_S, visitor.now_s).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        statuses = list(pool.map(read, range(4 * THREADS)))
    report = visitor.client.get("/_sim/calls").json()

    assert statuses.count(503) == 5
    assert report["by_status"] == {"200": 4 * THREADS - 5, "503": 5}


def test_concurrent_added_readings_are_all_stored() -> None:
    """32 threads that add readings to one user lose none."""
    visitor = new_visitor()

    def add(number: int) -> int:
        body = {"system_time": f"2024-01-01T00:00:{number:02}Z", "value": 100 + number}
        return visitor.client.post(f"/_sim/users/{ANA}/readings", json=body).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(add, range(THREADS))) == {201}
    shown = visitor.simulator.archive.visible_records(
        visitor.ana, 1_704_067_200, 1_704_067_200 + 60, visitor.now_s
    )
    assert {100 + number for number in range(THREADS)} <= {it.record["value"] for it in shown}
