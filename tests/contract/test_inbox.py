from concurrent.futures import ThreadPoolExecutor

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.webhooks.receive import KEPT, PREFIX, Inbox
from tests.support.fakes import FakeClock


@pytest.fixture
def inbox(intake_table: Table, clock: FakeClock) -> Inbox:
    """An empty inbox."""
    return Inbox(intake_table, clock)


def test_only_the_first_claim_of_an_id_succeeds(inbox: Inbox, clock: FakeClock) -> None:
    """Later claims get the job, the correlation id and the time of the first one."""
    first = inbox.claim("ada", "msg_1", "job-1", "c-1")
    clock.advance(1)
    second = inbox.claim("ada", "msg_1", "job-2", "c-2")

    assert first.ours
    assert not second.ours
    assert (second.job_id, second.correlation_id) == ("job-1", "c-1")
    assert second.claimed_at == first.claimed_at
    assert inbox.find("ada", "msg_1") == second


def test_a_claim_is_pending_until_it_is_accepted(inbox: Inbox) -> None:
    """A reader and a second claim see whether the message was accepted."""
    inbox.claim("ada", "msg_1", "job-1", "c")
    pending = inbox.find("ada", "msg_1")
    inbox.accept("ada", "msg_1")
    accepted = inbox.find("ada", "msg_1")

    assert pending is not None
    assert accepted is not None
    assert (pending.accepted, accepted.accepted) == (False, True)
    assert inbox.claim("ada", "msg_1", "job-2", "c").accepted


def test_each_user_has_an_inbox(inbox: Inbox) -> None:
    """The same message id for two users is two messages."""
    inbox.claim("ada", "msg_1", "job-1", "c")

    assert inbox.find("bob", "msg_1") is None
    assert inbox.claim("bob", "msg_1", "job-2", "c").ours


def test_an_expired_claim_is_ignored_before_ttl_removes_it(inbox: Inbox, clock: FakeClock) -> None:
    """A claim ends at the second of its expiry, and the id can then be claimed again."""
    inbox.claim("ada", "msg_1", "job-1", "c")
    clock.advance(KEPT.total_seconds() - 1)
    assert inbox.find("ada", "msg_1") is not None
    assert not inbox.claim("ada", "msg_1", "job-2", "c").ours

    clock.advance(1)
    assert inbox.find("ada", "msg_1") is None
    assert inbox.claim("ada", "msg_1", "job-3", "c").ours


def test_accepting_an_erased_claim_creates_no_item(inbox: Inbox) -> None:
    """Accepting a message whose claim does not exist changes nothing."""
    inbox.accept("ada", "msg_1")

    assert inbox.table.get("ada", PREFIX + "msg_1") is None


def test_a_claim_has_an_expiry_for_ttl(inbox: Inbox, clock: FakeClock) -> None:
    """The expiry is in the attribute that the template declares for TTL."""
    inbox.claim("ada", "msg_1", "job-1", "c")
    item = inbox.table.get("ada", PREFIX + "msg_1")

    assert item is not None
    assert item["expires_at"] == int((clock.now() + KEPT).timestamp())


@pytest.mark.integration
def test_only_one_of_many_concurrent_claims_succeeds(inbox: Inbox) -> None:
    """A hundred claims from sixteen threads have one success and one job."""
    with ThreadPoolExecutor(16) as threads:
        claims = list(threads.map(lambda n: inbox.claim("ada", "msg_1", f"job-{n}", "c"), range(100)))

    assert sum(claim.ours for claim in claims) == 1
    assert len({claim.job_id for claim in claims}) == 1
