import pytest

from bg_ingest.access.limits import Policy, RateLimit, Standing
from bg_ingest.dynamo import Table
from tests.fakes import FakeClock


@pytest.fixture
def limit(users_table: Table, clock: FakeClock) -> RateLimit:
    """Three calls a minute."""
    return RateLimit(users_table, clock, Policy("sync", 3, 60))


def test_what_is_within_the_limit_is_accepted_and_no_more(limit: RateLimit) -> None:
    """The standing counts down to nothing, and stays there."""
    assert [limit.take("ada") for _ in range(5)] == [
        Standing(accepted=True, remaining=2, resets_in_s=60),
        Standing(accepted=True, remaining=1, resets_in_s=60),
        Standing(accepted=True, remaining=0, resets_in_s=60),
        Standing(accepted=False, remaining=0, resets_in_s=60),
        Standing(accepted=False, remaining=0, resets_in_s=60),
    ]


def test_waiting_as_long_as_told_helps(limit: RateLimit, clock: FakeClock) -> None:
    """And a second less does not."""
    for _ in range(4):
        limit.take("ada")
    clock.advance(59)
    assert limit.take("ada") == Standing(accepted=False, remaining=0, resets_in_s=1)

    clock.advance(1)
    assert limit.take("ada") == Standing(accepted=True, remaining=2, resets_in_s=60)


def test_callers_and_limits_do_not_disturb_each_other(limit: RateLimit, users_table: Table) -> None:
    """One caller's calls are no other's, and a sync is no webhook."""
    for _ in range(3):
        limit.take("ada")
    other = RateLimit(users_table, limit.clock, Policy("webhook", 3, 60))

    assert limit.take("bob").accepted
    assert other.take("ada").accepted
    assert not limit.take("ada").accepted


def test_a_count_goes_when_its_window_is_over_and_names_nobody(
    limit: RateLimit, users_table: Table, clock: FakeClock
) -> None:
    """DynamoDB tidies up; the key is a hash."""
    limit.take("grace")
    (item,) = users_table.client.scan(TableName=users_table.name)["Items"]

    assert int(item["expires_at"]["N"]) == clock.now().timestamp() + 60
    assert "grace" not in str(item)
