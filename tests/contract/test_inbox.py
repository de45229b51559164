from concurrent.futures import ThreadPoolExecutor

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.webhooks.inbox import KEPT, PREFIX, Inbox
from tests.support.fakes import FakeClock


@pytest.fixture
def inbox(users_table: Table, clock: FakeClock) -> Inbox:
    """Nothing came yet."""
    return Inbox(users_table, clock)


def test_the_first_claim_is_ours_and_every_other_sees_it(inbox: Inbox, clock: FakeClock) -> None:
    """With the job and the correlation id of the first, and when that was."""
    first = inbox.claim("ada", "msg_1", "job-1", "c-1")
    clock.advance(1)
    second = inbox.claim("ada", "msg_1", "job-2", "c-2")

    assert first.ours
    assert not second.ours
    assert (second.job_id, second.correlation_id) == ("job-1", "c-1")
    assert second.claimed_at == first.claimed_at
    assert inbox.find("ada", "msg_1") == second


def test_a_claim_is_pending_until_it_is_accepted(inbox: Inbox) -> None:
    """Both are seen by whoever looks, and by whoever claims."""
    inbox.claim("ada", "msg_1", "job-1", "c")
    pending = inbox.find("ada", "msg_1")
    inbox.accept("ada", "msg_1")
    accepted = inbox.find("ada", "msg_1")

    assert pending is not None
    assert accepted is not None
    assert (pending.accepted, accepted.accepted) == (False, True)
    assert inbox.claim("ada", "msg_1", "job-2", "c").accepted


def test_users_have_inboxes_of_their_own(inbox: Inbox) -> None:
    """An id is its sender's, about one user."""
    inbox.claim("ada", "msg_1", "job-1", "c")

    assert inbox.find("bob", "msg_1") is None
    assert inbox.claim("bob", "msg_1", "job-2", "c").ours


def test_what_expired_is_nothing_whether_ttl_has_removed_it_or_not(inbox: Inbox, clock: FakeClock) -> None:
    """To the second, and it can be claimed anew."""
    inbox.claim("ada", "msg_1", "job-1", "c")
    clock.advance(KEPT.total_seconds() - 1)
    assert inbox.find("ada", "msg_1") is not None
    assert not inbox.claim("ada", "msg_1", "job-2", "c").ours

    clock.advance(1)
    assert inbox.find("ada", "msg_1") is None
    assert inbox.claim("ada", "msg_1", "job-3", "c").ours


def test_an_erased_user_does_not_come_back_as_half_an_item(inbox: Inbox) -> None:
    """Accepting what is not there leaves it so."""
    inbox.accept("ada", "msg_1")

    assert inbox.table.get("ada", PREFIX + "msg_1") is None


def test_ttl_removes_it(inbox: Inbox, clock: FakeClock) -> None:
    """By the attribute the template names."""
    inbox.claim("ada", "msg_1", "job-1", "c")
    item = inbox.table.get("ada", PREFIX + "msg_1")

    assert item is not None
    assert item["expires_at"] == int((clock.now() + KEPT).timestamp())


@pytest.mark.integration
def test_of_many_at_once_one_gets_it(inbox: Inbox) -> None:
    """Sixteen threads, a hundred claims."""
    with ThreadPoolExecutor(16) as threads:
        claims = list(threads.map(lambda n: inbox.claim("ada", "msg_1", f"job-{n}", "c"), range(100)))

    assert sum(claim.ours for claim in claims) == 1
    assert len({claim.job_id for claim in claims}) == 1
