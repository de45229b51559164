import pytest

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, LimitStatus
from bg_ingest.dynamo import Table
from tests.support.fakes import FakeClock


@pytest.fixture
def limit(users_table: Table, clock: FakeClock) -> CallerLimit:
    """Three calls a minute."""
    return CallerLimit(users_table, clock, LimitPolicy("sync", 3, 60))


def test_what_is_within_the_limit_is_accepted_and_no_more(limit: CallerLimit) -> None:
    """The standing counts down to nothing, and stays there."""
    assert [limit.take("ada") for _ in range(5)] == [
        LimitStatus(accepted=True, remaining=2, resets_in_s=60),
        LimitStatus(accepted=True, remaining=1, resets_in_s=60),
        LimitStatus(accepted=True, remaining=0, resets_in_s=60),
        LimitStatus(accepted=False, remaining=0, resets_in_s=60),
        LimitStatus(accepted=False, remaining=0, resets_in_s=60),
    ]


def test_waiting_as_long_as_told_helps(limit: CallerLimit, clock: FakeClock) -> None:
    """And a second less does not."""
    for _ in range(4):
        limit.take("ada")
    clock.advance(59)
    assert limit.take("ada") == LimitStatus(accepted=False, remaining=0, resets_in_s=1)

    clock.advance(1)
    assert limit.take("ada") == LimitStatus(accepted=True, remaining=2, resets_in_s=60)


def test_callers_and_limits_do_not_disturb_each_other(limit: CallerLimit, users_table: Table) -> None:
    """One caller's calls are no other's, and a sync is no webhook."""
    for _ in range(3):
        limit.take("ada")
    other = CallerLimit(users_table, limit.clock, LimitPolicy("webhook", 3, 60))

    assert limit.take("bob").accepted
    assert other.take("ada").accepted
    assert not limit.take("ada").accepted


def test_a_count_goes_when_its_window_is_over_and_names_nobody(
    limit: CallerLimit, users_table: Table, clock: FakeClock
) -> None:
    """DynamoDB tidies up; the key is a hash."""
    limit.take("grace")
    (item,) = users_table.client.scan(TableName=users_table.name)["Items"]

    assert int(item["expires_at"]["N"]) == clock.now().timestamp() + 60
    assert "grace" not in str(item)
