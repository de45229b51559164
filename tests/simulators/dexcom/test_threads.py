from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.simulators.dexcom.visitor import ANA, HOUR_S, new_visitor

THREADS = 32


def test_one_refresh_token_has_one_winner() -> None:
    """Of 32 threads that use the same refresh token at once, exactly one gets new tokens."""
    visitor = new_visitor()
    token = visitor.connect()["refresh_token"]
    with ThreadPoolExecutor(THREADS) as pool:
        statuses = list(pool.map(lambda _: visitor.refresh(token).status_code, range(THREADS)))

    assert sorted(statuses) == [200] + [400] * (THREADS - 1)


def test_every_call_is_counted() -> None:
    """Under 32 threads no call is lost from the log, and a fault ordered five times strikes five times."""
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


def test_every_added_reading_is_kept() -> None:
    """32 threads that add readings to one person lose none."""
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
