from __future__ import annotations

import pytest

from benchmarks import cost, fleet, price, throughput, wired
from benchmarks.measured import Measured


def measured(**changes: float) -> list[Measured]:
    """Return the inputs of a bill: round numbers, with the plain design twice as expensive."""
    numbers = {
        cost.POLLED_WRITES: 96.0,
        cost.POLLED_BOOKKEEPING: 3.0,
        cost.POLLED_READS: 960.0,
        cost.POLLED_CALLS: 6.0,
        throughput.POLL_CPU: 10.0,
        wired.WRITES: 4.0,
        wired.READS: 10.0,
        wired.CALLS: 6.0,
        wired.KMS_REQUESTS: 0.03,
        f"1,000 users: {fleet.READ}": 0.0,
        f"1,000 users: {fleet.WRITTEN}": 0.0,
        f"1,000 users: {fleet.CPU}": 0.0,
    }
    return [Measured("S", what, value, "", None, 2 * value) for what, value in (numbers | changes).items()]


def bill(slowness: float = 1.0, **changes: float) -> dict[str, Measured]:
    """Return the bill's lines by their names."""
    return {line.what: line for line in price.bill(measured(**changes), slowness)}


def test_the_bill_of_a_month() -> None:
    """2.88 million polls of four writes and ten reads each, at the listed prices."""
    lines = bill()

    assert lines["messages"].value == 2_880_000
    assert lines["DynamoDB, written"].value == pytest.approx(2.88e6 * 4 * 0.625e-6)
    assert lines["DynamoDB, read"].value == pytest.approx(2.88e6 * 10 * 0.125e-6)
    assert lines["SQS"].value == pytest.approx(288_000 * 3 * 0.5e-6)
    assert lines["SQS"].beside == pytest.approx(10 * lines["SQS"].value)


def test_the_total_is_the_sum_of_the_lines() -> None:
    """The total includes every line, for both designs."""
    lines = bill()
    items = [line for what, line in lines.items() if line.unit == "USD" and not what.startswith("together")]

    assert lines["together"].value == pytest.approx(sum(line.value for line in items))
    assert lines["together"].beside == pytest.approx(sum(line.beside or 0.0 for line in items))


def test_threads_share_waits_and_add_up_cpu_time() -> None:
    """Ten polls in one invocation cost one wait and ten times the CPU; the plain design has one of each."""
    line = bill()["one invocation"]

    assert line.value == pytest.approx(2 + 300 + 6 * 5 + 10 * 10 / (512 / 1_769))
    assert line.beside == pytest.approx(2 + 300 + 12 * 5 + 1 * 20 / (512 / 1_769))


def test_the_bill_includes_the_schedule() -> None:
    """A tick a minute is billed, with or without due users."""
    schedule = bill()["schedule"].value

    assert schedule == pytest.approx(43_200 * (0.2e-6 + 0.002 * 0.5 * 13.3334e-6))
    assert bill(**{f"1,000 users: {fleet.WRITTEN}": 100.0})["schedule"].value == pytest.approx(
        schedule + 30 * 100 * 0.625e-6
    )


def test_a_slow_machine_does_not_raise_the_price() -> None:
    """Twice the time on a machine of half the speed costs the same."""
    here = bill(2.0, **{throughput.POLL_CPU: 20.0, f"1,000 users: {fleet.CPU}": 30.0})
    there = bill(1.0, **{throughput.POLL_CPU: 10.0, f"1,000 users: {fleet.CPU}": 15.0})

    assert here["together"].value == pytest.approx(there["together"].value)


def test_provisioned_tables_cost_less_than_half() -> None:
    """Only the units of the tables become cheaper, by one factor for reads and writes."""
    lines = bill()
    units = lines["DynamoDB, written"].value + lines["DynamoDB, read"].value
    saved = lines[price.TOGETHER].value - lines[price.PROVISIONED].value

    assert saved == pytest.approx(units * (1 - 0.00065 / 3600 / 0.7 / 0.625e-6))
    assert 0.4 < 1 - saved / units < 0.42
