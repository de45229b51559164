"""Read grants in the users table: made, found by what a client sends, limited, audited, revoked."""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.access.grant_items import partition
from bg_ingest.access.grants import (
    GRANTS_MAX,
    USE_POLICY,
    WRONG_POLICY,
    GrantInvalid,
    GrantLimited,
    GrantService,
    ReaderRequest,
    TooManyGrants,
)
from bg_ingest.readings.local_days import LocalDays
from tests.support.fakes import NOON
from tests.support.grants import grants_in

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from tests.support.fakes import FakeClock

READS = [Category.READINGS]
ALL_DAYS = GrantDays()


@pytest.fixture
def grants(users_table: Table, intake_table: Table, clock: FakeClock) -> GrantService:
    """No grants yet."""
    return grants_in(users_table, intake_table, clock)


def asked(address: str = "203.0.113.7", agent: str = "watch/1") -> ReaderRequest:
    """A request of a reader."""
    return ReaderRequest(address, agent, "GET /api/shared/latest", "id")


def sent_forms(token: str) -> list[str]:
    """Everything a client may send for one token."""
    raw = token.encode()
    sha1 = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    return [token, sha1, sha1.upper(), hashlib.sha512(raw).hexdigest()]


def test_a_token_is_label_and_sixteen_hex_digits(grants: GrantService) -> None:
    """The label is in the token as far as a URL can hold it."""
    for label, start in (("watch", "watch"), ("Oma Müller", "Oma-Muller"), ("⌚", "reader")):
        _, token = grants.create("ada", label, READS, ALL_DAYS)
        assert re.fullmatch(f"{start}-[0-9a-f]{{16}}", token)


def test_token_and_its_digests_open_the_grant(grants: GrantService) -> None:
    """SHA-1 and SHA-512 in any case are accepted, and each use is counted."""
    grant, token = grants.create("ada", "watch", READS, ALL_DAYS)

    for form in sent_forms(token):
        reader = grants.reader(form, asked())
        assert (reader.user_id, reader.grant.grant_id) == ("ada", grant.grant_id)
    (used,) = grants.of_user("ada")
    assert (used.uses, used.last_used_at) == (4, NOON)


def test_no_item_holds_the_token_or_a_digest_of_it(grants: GrantService, users_table: Table) -> None:
    """What a client may send is nowhere in the table."""
    _, token = grants.create("ada", "watch", READS, ALL_DAYS)
    grants.reader(token, asked())
    stored = str(users_table.client.scan(TableName=users_table.name)["Items"])

    assert not [form for form in sent_forms(token) if form in stored or form.lower() in stored]
    assert token.rpartition("-")[2] not in stored


@pytest.mark.parametrize("credential", ["", "watch-0000000000000000", "0" * 40, "\ud800", "null"])
def test_an_unknown_credential_is_invalid(grants: GrantService, credential: str) -> None:
    """Any text is accepted as input."""
    grants.create("ada", "watch", READS, ALL_DAYS)
    with pytest.raises(GrantInvalid):
        grants.reader(credential, asked())


def test_a_revoked_grant_is_invalid_at_once(grants: GrantService) -> None:
    """Every form of its token is; the other grant stays valid, and revoking again finds nothing."""
    grant, token = grants.create("ada", "watch", READS, ALL_DAYS)
    other, other_token = grants.create("ada", "clock", READS, ALL_DAYS)
    assert grants.revoke("ada", grant.grant_id)

    for form in sent_forms(token):
        with pytest.raises(GrantInvalid):
            grants.reader(form, asked())
    assert grants.reader(other_token, asked()).grant.grant_id == other.grant_id
    assert [each.grant_id for each in grants.of_user("ada")] == [other.grant_id]
    assert not grants.revoke("ada", grant.grant_id)
    assert not grants.revoke("bob", other.grant_id)


def test_an_expired_grant_is_invalid_and_not_listed(grants: GrantService, clock: FakeClock) -> None:
    """It is valid in the second before."""
    _, token = grants.create("ada", "watch", READS, ALL_DAYS, NOON + timedelta(hours=1))
    clock.advance(3_599)
    grants.reader(token, asked())
    clock.advance(1)

    with pytest.raises(GrantInvalid):
        grants.reader(token, asked())
    assert grants.of_user("ada") == []


@pytest.mark.exhaustive
def test_a_grant_has_a_limit_of_its_own(grants: GrantService, clock: FakeClock) -> None:
    """Above it the grant is refused until the next minute, and other grants are not."""
    _, token = grants.create("ada", "watch", READS, ALL_DAYS)
    _, other = grants.create("ada", "clock", READS, ALL_DAYS)
    for _ in range(USE_POLICY.calls_max):
        grants.reader(token, asked())

    with pytest.raises(GrantLimited) as refused:
        grants.reader(token, asked())
    assert (refused.value.policy, refused.value.wrong) == (USE_POLICY, False)
    assert 0 < refused.value.status.resets_in_s <= 60
    grants.reader(other, asked())
    clock.advance(60)
    grants.reader(token, asked())


@pytest.mark.exhaustive
def test_guessing_is_slowed_for_one_address_only(grants: GrantService, clock: FakeClock) -> None:
    """After too many wrong secrets the right one is refused too, from this address and for seconds only."""
    _, token = grants.create("ada", "watch", READS, ALL_DAYS)
    guesses = [_guess(grants, f"watch-{n:016x}") for n in range(1_000)]

    assert guesses.count("invalid") == WRONG_POLICY.calls_max
    assert guesses.count("limited") == 1_000 - WRONG_POLICY.calls_max
    assert _guess(grants, token) == "limited"
    assert _guess(grants, token, "198.51.100.7") == "right"
    clock.advance(WRONG_POLICY.window_s)
    assert _guess(grants, token) == "right"


def _guess(grants: GrantService, credential: str, address: str = "203.0.113.7") -> str:
    try:
        grants.reader(credential, asked(address))
    except GrantInvalid:
        return "invalid"
    except GrantLimited:
        return "limited"
    return "right"


def test_a_missing_credential_is_not_a_guess(grants: GrantService) -> None:
    """Any number of requests without one does not slow down the address."""
    _, token = grants.create("ada", "watch", READS, ALL_DAYS)
    assert {_guess(grants, "") for _ in range(2 * WRONG_POLICY.calls_max)} == {"invalid"}
    assert _guess(grants, token) == "right"


def test_one_ipv6_host_is_one_address(grants: GrantService) -> None:
    """Addresses with the same first 64 bits share a count; an address that cannot be parsed has its own."""
    requests = [asked(address) for address in ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1", "unknown")]

    assert [each.network for each in requests] == [
        "2001:db8::/64",
        "2001:db8::/64",
        "2001:db8:0:1::/64",
        "unknown",
    ]
    assert _guess(grants, "watch-1", "unknown") == "invalid"


def test_the_first_use_of_an_hour_by_a_client_is_audited(grants: GrantService, clock: FakeClock) -> None:
    """A watch that asks each minute makes one entry an hour; another client has entries of its own."""
    grant, token = grants.create("ada", "watch", READS, ALL_DAYS)
    for _ in range(120):
        grants.reader(token, asked())
        clock.advance(60)
    grants.reader(token, asked(agent="clock/2"))

    entries = list(grants.audit.newest_first("ada"))
    assert [entry.at for entry in entries] == [NOON + timedelta(hours=n) for n in (2, 1, 0)]
    assert {(entry.actor, entry.action) for entry in entries} == {
        (f"watch (grant {grant.grant_id})", "GET /api/shared/latest")
    }


@pytest.mark.exhaustive
def test_many_clients_do_not_make_the_item_grow(grants: GrantService, users_table: Table) -> None:
    """A client that was forgotten is audited again."""
    grant, token = grants.create("ada", "watch", READS, ALL_DAYS)
    for n in range(100):
        grants.reader(token, asked(agent=f"client/{n}"))
    item = users_table.get(partition("ada"), grant.grant_id)

    assert item
    assert len([name for name in item if name.startswith("client_")]) <= 40
    assert len(list(grants.audit.newest_first("ada"))) == 100


@pytest.mark.exhaustive
def test_a_user_has_a_limited_number_of_grants(grants: GrantService) -> None:
    """Revoking one makes room."""
    made = [grants.create("ada", "watch", READS, ALL_DAYS)[0] for _ in range(GRANTS_MAX)]
    with pytest.raises(TooManyGrants):
        grants.create("ada", "watch", READS, ALL_DAYS)
    grants.revoke("ada", made[0].grant_id)

    grants.create("ada", "watch", READS, ALL_DAYS)


def test_a_stored_grant_is_the_same_as_the_made_one(grants: GrantService, clock: FakeClock) -> None:
    """Label, categories, days and expiry come back, oldest first."""
    until = NOON + timedelta(days=9)
    made = []
    for days in (
        GrantDays(last=14),
        GrantDays(first_day=date(2026, 4, 1), last_day=date(2026, 4, 30)),
        ALL_DAYS,
    ):
        made.append(grants.create("ada", "Dr. Smith", [*Category, Category.READINGS], days, until)[0])
        clock.advance(1)

    assert grants.of_user("ada") == made
    assert made[0].reads == tuple(Category)
    assert [grant.days.as_json() for grant in made] == [
        {"last": 14},
        {"from": "2026-04-01", "to": "2026-04-30"},
        "all",
    ]


def test_the_last_days_move_with_today(grants: GrantService) -> None:
    """Fourteen days are today and the thirteen before; the first days of the calendar have no day before."""
    grant, _ = grants.create("ada", "watch", READS, GrantDays(last=14))

    assert grant.days.on(date(2026, 4, 26)) == LocalDays(date(2026, 4, 13))
    assert grant.days.on(date.min) == LocalDays(date.min)
