from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bg_ingest.providers.errors import (
    ConsentRevoked,
    ContractBroken,
    CredentialsRefused,
    Garbled,
    ProviderError,
    TokenRejected,
    Unavailable,
)
from bg_ingest.providers.nightscout import site_login
from bg_ingest.providers.nightscout.site_login import SiteCredential
from bg_ingest.providers.seam import Fetched, ProviderAccount, Span, Tokens
from nightscout_sim.clock import to_ms
from nightscout_sim.faults import Fault
from nightscout_sim.site import NightscoutSite
from tests.support.fakes import NOON, FakeClock
from tests.support.own_sites import OwnSites

HOST = "ns.example.org"
DAY = timedelta(days=1)


@dataclass
class Reach:
    """One user's server, and the provider logged in to it."""

    history_days: float = 3
    has_v3: bool = True
    count_max: int = 1_000_000
    clock_ahead: timedelta = timedelta(0)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.site = NightscoutSite(
            clock=self.clock,
            history_days=self.history_days,
            has_v3=self.has_v3,
            count_max=self.count_max,
            clock_ahead=self.clock_ahead,
        )
        sites = OwnSites(self.clock)
        self.address, self.token = sites.add(HOST, self.site)
        self.provider = sites.provider()
        self.account = ProviderAccount(site_login.OWN_SITE, None, lambda: math.inf)

    def check(self, address: str | None = None, token: str | None = None) -> Tokens:
        """Log in."""
        login = self.provider.login
        return login.check(address or self.address, token or self.token, lambda: math.inf)

    def fetch(self, start: datetime, end: datetime) -> Fetched:
        """The readings of a range, with a fresh login."""
        return self.provider.readings(self.account, self.check().access_token, start, end)

    def entries(self) -> list[dict[str, Any]]:
        """The valid entries of the server, newest first."""
        self.site.entries.grow(to_ms(self.clock.now()))
        return self.site.entries.valid()


def instants(entries: list[dict[str, Any]]) -> set[datetime]:
    """The seconds of some entries."""
    return {datetime.fromtimestamp(entry["date"] // 1000, UTC) for entry in entries}


def test_a_login_yields_tokens_that_contain_the_address() -> None:
    """The web token is for eight hours, and the access token is kept to get the next one."""
    reach = Reach()
    tokens = reach.check(f" {reach.address}/ ")

    assert SiteCredential.of(tokens.refresh_token) == SiteCredential(f"https://{HOST}", reach.token)
    assert SiteCredential.of(tokens.access_token).address == f"https://{HOST}"
    assert tokens.expires_at == NOON + timedelta(hours=8)
    assert reach.token not in repr(tokens)


@pytest.mark.parametrize("roles", [["admin"], ["readable", "careportal"]])
def test_a_token_that_may_write_is_refused(roles: list[str]) -> None:
    """This service must not be able to change anything at the user's server."""
    reach = Reach()

    with pytest.raises(CredentialsRefused, match=site_login.TOKEN_CAN_WRITE):
        reach.check(token=reach.site.tokens.add("writer", *roles))


@pytest.mark.parametrize(
    ("address", "token", "reason"),
    [
        ("http://ns.example.org", None, site_login.ADDRESS_INVALID),
        ("https://user@ns.example.org", None, site_login.ADDRESS_INVALID),
        (None, "a\nb", site_login.TOKEN_INVALID),
        (None, "x" * 201, site_login.TOKEN_INVALID),
        (None, "reader-0000000000000000", site_login.TOKEN_UNKNOWN),
        ("https://ns.example.org/elsewhere", None, site_login.NOT_A_SITE),
    ],
)
def test_credentials_that_cannot_work_have_a_reason(
    address: str | None, token: str | None, reason: str
) -> None:
    """The reason names what to change."""
    with pytest.raises(CredentialsRefused, match=reason):
        Reach().check(address, token)


def test_a_token_that_may_not_read_is_refused() -> None:
    """The role `denied` opens nothing."""
    reach = Reach()

    with pytest.raises(CredentialsRefused, match=site_login.TOKEN_CANNOT_READ):
        reach.check(token=reach.site.tokens.add("nobody", "denied"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status"), Unavailable),
        (Fault("dropped"), Unavailable),
        (Fault("slow", wait_s=60), Unavailable),
        (Fault("redirect"), Unavailable),
        (Fault("html"), CredentialsRefused),
        (Fault("status", status=401), Unavailable),
    ],
)
def test_a_server_that_fails_is_not_a_login(fault: Fault, error: type[ProviderError]) -> None:
    """A failure of the server can be tried again; a page instead of JSON is not a Nightscout."""
    reach = Reach()
    reach.site.faults.append(fault)

    with pytest.raises(error):
        reach.check()


def test_no_error_of_a_login_is_chained_to_one_with_the_token() -> None:
    """The errors of the HTTP library contain the URL, and the URL contains the token."""
    reach = Reach()
    for fault in (Fault("dropped"), Fault("html"), Fault("status", status=404)):
        reach.site.faults[:] = [fault]
        with pytest.raises(ProviderError) as caught:
            reach.check()
        chain, error = "", caught.value
        while error is not None:
            chain += repr(error)
            error = error.__context__  # type: ignore[assignment]  # The end of the chain is None.
        assert reach.token not in chain


def test_a_host_without_an_address_is_unavailable() -> None:
    """The name may be known later."""
    with pytest.raises(Unavailable):
        Reach().check("https://unknown.example.org")


def test_a_refresh_yields_a_new_web_token() -> None:
    """The access token stays, since it can be used again."""
    reach = Reach()
    tokens = reach.check()
    reach.clock.advance(7 * 3600)
    fresh = reach.provider.login.refresh(reach.account, tokens.refresh_token)

    assert fresh.refresh_token == tokens.refresh_token
    assert fresh.expires_at == NOON + timedelta(hours=15)


def test_a_revoked_token_ends_the_login() -> None:
    """The server says so with 401 and JSON."""
    reach = Reach()
    tokens = reach.check()
    reach.site.tokens.revoke(reach.token)

    with pytest.raises(ConsentRevoked):
        reach.provider.login.refresh(reach.account, tokens.refresh_token)
    with pytest.raises(TokenRejected):
        reach.provider.readings(reach.account, tokens.access_token, NOON - DAY, NOON)


def test_a_page_with_401_does_not_end_the_login() -> None:
    """Something in front of the server answers with a page, and the login stays as it is."""
    reach = Reach()
    tokens = reach.check()
    reach.site.faults.append(Fault("status", status=401))

    with pytest.raises(Unavailable):
        reach.provider.login.refresh(reach.account, tokens.refresh_token)


@pytest.mark.parametrize("count_max", [1, 2, 7, 100, 1_000_000])
def test_a_range_is_complete_with_every_limit_of_a_server(count_max: int) -> None:
    """Every entry of the range is fetched once, and none outside of it."""
    reach = Reach(count_max=count_max, history_days=1)
    start, end = NOON - timedelta(hours=5), NOON - timedelta(hours=2)
    expected = {at for at in instants(reach.entries()) if start <= at < end}

    fetched = reach.fetch(start, end)
    assert {it.at for it in fetched.readings} == expected
    assert len(fetched.readings) == len(expected) == 36


def test_a_poll_needs_one_call_for_the_entries() -> None:
    """A range that begins at a reading is complete with its first page."""
    reach = Reach()
    reach.fetch(NOON - timedelta(hours=3), NOON + timedelta(minutes=10))
    paths = [call["path"] for call in reach.site.calls]

    # One is the login's trial.
    assert paths.count("/api/v1/entries/sgv.json") == 2
    assert len([path for path in paths if path.startswith("/api/v3")]) == 1


def test_a_long_history_needs_no_history_call() -> None:
    """An old range is read by its entries alone."""
    reach = Reach(history_days=30)
    fetched = reach.fetch(NOON - 20 * DAY, NOON - 10 * DAY)

    assert len(fetched.readings) == 2880
    assert not [call for call in reach.site.calls if call["path"].startswith("/api/v3")]


def test_edits_and_deletions_of_any_date_are_found() -> None:
    """A poll sees what was changed within its range of time, also in older entries."""
    reach = Reach()
    entries = reach.entries()
    reach.site.entries.edit(entries[500]["_id"], {"sgv": 222}, modified_ms=to_ms(NOON) - 1000)
    reach.site.entries.delete(entries[501]["_id"], modified_ms=to_ms(NOON) - 500)

    fetched = reach.fetch(NOON - timedelta(hours=3), NOON + timedelta(minutes=10))
    assert [it.mg_dl for it in fetched.readings if it.at in instants([entries[500]])] == [222]
    assert {it.at for it in fetched.removed} == instants([entries[501]])
    assert not {it.at for it in fetched.readings} & {it.at for it in fetched.removed}


def test_the_changes_of_a_wrong_clock_are_found() -> None:
    """The changes are asked for by the server's own clock, which its Date header shows."""
    reach = Reach(clock_ahead=timedelta(days=-2))
    entries = reach.entries()
    reach.site.entries.delete(entries[300]["_id"], modified_ms=reach.site.now_ms() - 500)

    fetched = reach.fetch(NOON - timedelta(hours=3), NOON + timedelta(minutes=10))
    assert {it.at for it in fetched.removed} == instants([entries[300]])
    assert reach.check().expires_at == NOON + timedelta(hours=8)


def test_an_old_version_is_asked_for_its_history_once() -> None:
    """Without API v3 the entries alone are fetched."""
    reach = Reach(has_v3=False)
    for _ in range(3):
        assert len(reach.fetch(NOON - timedelta(hours=3), NOON + timedelta(minutes=10)).readings) == 36
    assert len([call for call in reach.site.calls if call["path"].startswith("/api/v3")]) == 1
    assert reach.provider.uploaded_since(reach.account, reach.check().access_token, NOON - DAY) is None


def test_a_failing_history_does_not_delay_new_readings() -> None:
    """A poll stores the entries; the next one asks for the changes again."""
    reach = Reach()
    reach.site.faults.append(Fault("status", "/api/v3/*"))

    assert len(reach.fetch(NOON - timedelta(hours=3), NOON + timedelta(minutes=10)).readings) == 36
    with pytest.raises(Unavailable):
        reach.provider.uploaded_since(reach.account, reach.check().access_token, NOON - DAY)


def test_uploads_are_the_span_of_the_changes() -> None:
    """The span covers created, edited and deleted entries."""
    reach = Reach()
    token, entries = reach.check().access_token, reach.entries()
    assert reach.provider.uploaded_since(reach.account, token, NOON) is None
    reach.site.entries.edit(entries[50]["_id"], {"sgv": 99}, modified_ms=to_ms(NOON) + 1)
    reach.site.entries.delete(entries[700]["_id"], modified_ms=to_ms(NOON) + 2)

    (older,), (newer,) = instants([entries[700]]), instants([entries[50]])
    assert reach.provider.uploaded_since(reach.account, token, NOON) == Span(older, newer)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("truncated", "/api/v1/entries*"), Garbled),
        (Fault("html", "/api/v1/entries*"), Garbled),
        (Fault("status", "/api/v1/entries*", status=500), Unavailable),
        (Fault("slow", "/api/v1/entries*", wait_s=60), Unavailable),
    ],
)
def test_a_broken_answer_is_an_error_and_not_an_empty_range(fault: Fault, error: type[ProviderError]) -> None:
    """The order is retried, and the range does not count as complete."""
    reach = Reach()
    token = reach.check().access_token
    reach.site.faults.append(fault)

    with pytest.raises(error):
        reach.provider.readings(reach.account, token, NOON - DAY, NOON)


def test_a_server_without_an_end_is_left() -> None:
    """A server that invents older and older entries does not keep a worker busy."""
    reach = Reach()
    token = reach.check().access_token
    reach.site.has_v3, reach.site.count_max = False, 1
    reach.site.entries.by_id.clear()
    for minute in range(400):
        reach.site.entries.put({"date": to_ms(NOON) - minute * 60_000, "sgv": 100}, modified_ms=1)

    with pytest.raises(ContractBroken):
        reach.provider.readings(reach.account, token, NOON - DAY, NOON)


def test_a_webhook_carries_entries_of_nightscout() -> None:
    """Pushed records are parsed as fetched ones are."""
    reach = Reach()
    entries = reach.entries()[:3]

    assert {it.at for it in reach.provider.parse_pushed({"records": entries}, NOON).readings} == instants(
        entries
    )
    with pytest.raises(ContractBroken):
        reach.provider.parse_pushed({"records": None}, NOON)
