import pytest

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, LimitStatus
from bg_ingest.dynamo import Table
from tests.support.fakes import FakeClock


@pytest.fixture
def limit(intake_table: Table, clock: FakeClock) -> CallerLimit:
    """A limit of three calls a minute."""
    return CallerLimit(intake_table, clock, LimitPolicy("sync", 3, 60))


def test_calls_over_the_limit_are_rejected(limit: CallerLimit) -> None:
    """The number of remaining calls decreases to zero and stays there."""
    assert [limit.take("ada") for _ in range(5)] == [
        LimitStatus(accepted=True, remaining=2, resets_in_s=60),
        LimitStatus(accepted=True, remaining=1, resets_in_s=60),
        LimitStatus(accepted=True, remaining=0, resets_in_s=60),
        LimitStatus(accepted=False, remaining=0, resets_in_s=60),
        LimitStatus(accepted=False, remaining=0, resets_in_s=60),
    ]


def test_a_caller_is_accepted_after_the_reset_time(limit: CallerLimit, clock: FakeClock) -> None:
    """A call one second before the reset time is rejected."""
    for _ in range(4):
        limit.take("ada")
    clock.advance(59)
    assert limit.take("ada") == LimitStatus(accepted=False, remaining=0, resets_in_s=1)

    clock.advance(1)
    assert limit.take("ada") == LimitStatus(accepted=True, remaining=2, resets_in_s=60)


def test_callers_and_limits_are_counted_separately(limit: CallerLimit, intake_table: Table) -> None:
    """Another caller has its own count, and so has another limit."""
    for _ in range(3):
        limit.take("ada")
    other = CallerLimit(intake_table, limit.clock, LimitPolicy("webhook", 3, 60))

    assert limit.take("bob").accepted
    assert other.take("ada").accepted
    assert not limit.take("ada").accepted


def test_a_count_expires_and_contains_no_caller_id(
    limit: CallerLimit, intake_table: Table, clock: FakeClock
) -> None:
    """The item has the expiry of its window, and its key is a hash."""
    limit.take("grace")
    (item,) = intake_table.client.scan(TableName=intake_table.name)["Items"]

    assert int(item["expires_at"]["N"]) == clock.now().timestamp() + 60
    assert "grace" not in str(item)
