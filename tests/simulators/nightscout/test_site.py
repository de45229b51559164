from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest

from nightscout_sim.clock import to_ms
from nightscout_sim.faults import Fault
from nightscout_sim.site import NightscoutSite
from tests.simulators.nightscout.site_reader import SiteReader
from tests.support.fakes import NOON, FakeClock

MINUTE_MS = 60_000


def test_entries_come_newest_first_and_ten_by_default() -> None:
    """Without a count there are ten entries, five minutes apart."""
    dates = [entry["date"] for entry in SiteReader().entries()]

    assert len(dates) == 10
    assert {newer - older for newer, older in pairwise(dates)} == {5 * MINUTE_MS}


def test_the_same_seed_gives_the_same_entries() -> None:
    """Two sites of one seed have equal entries; another seed has others."""
    one, other = SiteReader().entries(count=50), SiteReader().entries(count=50)

    assert one == other
    assert one != SiteReader(NightscoutSite(2, FakeClock(), history_days=2)).entries(count=50)


def test_a_new_entry_comes_every_five_minutes() -> None:
    """The sensor measures while the time passes."""
    reader = SiteReader()
    before = reader.entries(count=1)[0]["date"]
    reader.site.clock.sleep(300)

    assert reader.entries(count=1)[0]["date"] == before + 5 * MINUTE_MS


def test_find_selects_by_date() -> None:
    """`$gte` and `$lt` bound the entries; a count of zero then means everything."""
    start = to_ms(NOON - timedelta(hours=2))
    found = SiteReader().entries(
        **{"count": 0, "find[date][$gte]": start, "find[date][$lt]": f"{start + 60 * MINUTE_MS}.0"}
    )

    assert len(found) == 12
    assert all(start <= entry["date"] < start + 60 * MINUTE_MS for entry in found)


def test_find_without_a_date_looks_back_four_days() -> None:
    """Older entries need a date in the query."""
    reader = SiteReader(NightscoutSite(clock=FakeClock(), history_days=6))

    assert len(reader.entries(count=100_000)) == 4 * 288
    assert len(reader.entries(**{"count": 100_000, "find[date][$gt]": 0})) == 6 * 288


def test_an_invalid_count_is_an_error_of_the_server() -> None:
    """Nightscout answers 500 to a count that is not a number."""
    assert SiteReader().get("/api/v1/entries.json", count="abc").status_code == 500


def test_a_limit_of_the_site_overrides_the_count() -> None:
    """The newest entries up to the limit are returned."""
    assert (
        len(SiteReader(NightscoutSite(clock=FakeClock(), history_days=1, count_max=25)).entries(count=100))
        == 25
    )


@pytest.mark.parametrize("form", ["token", "api-secret", "prefixed", "sha1", "bearer"])
def test_each_form_of_a_credential_is_accepted(form: str) -> None:
    """The access token, its SHA-1 and a web token each open the entries."""
    reader = SiteReader()
    sha1 = hashlib.sha1(reader.token.encode()).hexdigest()  # noqa: S324 - Nightscout's own form.
    headers = {
        "api-secret": {"api-secret": reader.token},
        "prefixed": {"api-secret": f"token={reader.token}"},
        "sha1": {"api-secret": sha1},
        "bearer": reader.bearer(),
    }.get(form, {})
    query = {"token": reader.token} if form == "token" else {}

    assert reader.client.get("/api/v1/entries.json", params=query, headers=headers).status_code == 200


def test_an_unknown_token_opens_nothing() -> None:
    """Entries, history and the exchange answer 401."""
    client = SiteReader().client

    for path in ("/api/v1/entries.json", "/api/v3/entries/history/1", "/api/v2/authorization/request/x-1"):
        assert client.get(path).status_code == 401


def test_a_revoked_token_ends_its_web_tokens() -> None:
    """A web token is refused as soon as its access token is deleted."""
    reader = SiteReader()
    bearer = reader.bearer()
    reader.site.tokens.revoke(reader.token)

    assert reader.client.get("/api/v1/entries.json", headers=bearer).status_code == 401


def test_a_web_token_expires_after_eight_hours() -> None:
    """Then the access token has to be exchanged again."""
    reader = SiteReader()
    bearer = reader.bearer()
    reader.site.clock.sleep(8 * 3600)

    assert reader.client.get("/api/v1/entries.json", headers=bearer).status_code == 401
    assert reader.client.get("/api/v1/entries.json", headers=reader.bearer()).status_code == 200


def test_a_writing_request_is_refused() -> None:
    """The simulator is for readers."""
    reader = SiteReader()

    assert reader.client.post("/api/v1/entries.json", headers=reader.bearer()).status_code == 401


@pytest.mark.parametrize(
    ("roles", "rights"),
    [
        (["readable"], (True, False, False)),
        (["admin"], (True, True, True)),
        (["careportal"], (False, False, False)),
        (["denied"], (False, False, False)),
    ],
)
def test_verifyauth_shows_the_rights(roles: list[str], rights: tuple[bool, ...]) -> None:
    """The rights follow from the roles of the token."""
    reader = SiteReader()
    token = reader.site.tokens.add("other", *roles)
    message = reader.client.get("/api/v1/verifyauth", params={"token": token}).json()["message"]

    assert (message["canRead"], message["canWrite"], message["isAdmin"]) == rights


def test_history_shows_what_was_created_edited_and_deleted() -> None:
    """Each change is there once, oldest first, and a deleted entry is invalid."""
    reader = SiteReader()
    entries, site = reader.entries(count=5), reader.site
    since = site.now_ms()
    site.entries.edit(entries[3]["_id"], {"sgv": 99}, modified_ms=since + 1)
    site.entries.delete(entries[4]["_id"], modified_ms=since + 2)

    edited, deleted = reader.history(since)
    assert (edited["identifier"], edited["sgv"], edited["isValid"]) == (entries[3]["identifier"], 99, True)
    assert (deleted["identifier"], deleted["isValid"]) == (entries[4]["identifier"], False)
    assert entries[4]["_id"] not in {entry["_id"] for entry in reader.entries(count=5)}


def test_history_is_paged_by_its_limit() -> None:
    """The newest change of a page is where the next one starts."""
    reader = SiteReader()
    first = reader.history(0, limit=100)
    second = reader.history(first[-1]["srvModified"], limit=100)

    assert len(first) == len(second) == 100
    assert not {entry["identifier"] for entry in first} & {entry["identifier"] for entry in second}


def test_an_entry_deleted_for_good_leaves_no_trace() -> None:
    """API v1 removes the document itself."""
    reader = SiteReader()
    newest = reader.entries(count=1)[0]
    reader.site.entries.delete(newest["_id"], modified_ms=reader.site.now_ms(), for_good=True)

    assert newest["identifier"] not in {entry["identifier"] for entry in reader.history(0, limit=1000)}


def test_an_old_version_has_no_v3() -> None:
    """API v3 answers 404."""
    reader = SiteReader(NightscoutSite(clock=FakeClock(), history_days=1, has_v3=False))

    assert reader.client.get("/api/v3/version").status_code == 404
    assert len(reader.entries()) == 10


def test_a_wrong_clock_moves_the_lifetimes() -> None:
    """The times of a web token are those of the site's own clock."""
    reader = SiteReader(NightscoutSite(clock=FakeClock(), history_days=1, clock_ahead=timedelta(days=3)))
    exchanged = reader.get(f"/api/v2/authorization/request/{reader.token}").json()

    assert exchanged["iat"] == int((NOON + timedelta(days=3)).timestamp())


def test_faults_act_as_often_as_they_say() -> None:
    """A fault for two calls leaves the third alone."""
    reader = SiteReader()
    reader.site.faults.append(Fault("status", "/api/v1/entries*", times=2, status=502))

    assert [reader.get("/api/v1/entries.json").status_code for _ in range(3)] == [502, 502, 200]


def test_slow_and_dropped_answers_break_as_on_a_socket() -> None:
    """A slow answer times out in simulated time; a dropped one is a protocol error."""
    reader = SiteReader()
    reader.site.faults += [Fault("slow", wait_s=30, times=1), Fault("dropped", times=1)]

    with pytest.raises(httpx.ReadTimeout):
        reader.get("/api/v1/entries.json")
    assert reader.site.clock.now() == NOON + timedelta(seconds=5)
    with pytest.raises(httpx.RemoteProtocolError):
        reader.get("/api/v1/entries.json")


def test_a_truncated_answer_is_half_of_one() -> None:
    """The body ends in the middle."""
    reader = SiteReader()
    whole = reader.get("/api/v1/entries.json").content
    reader.site.faults.append(Fault("truncated", times=1))

    assert reader.get("/api/v1/entries.json").content == whole[: len(whole) // 2]


def test_the_control_api_changes_the_site() -> None:
    """Tokens, entries and faults can be made and removed over HTTP."""
    reader = SiteReader()
    client, at = reader.client, to_ms(NOON)

    token = client.post("/_sim/tokens", json={"name": "x", "roles": ["readable"]}).json()["token"]
    assert client.get("/api/v1/entries.json", params={"token": token}).status_code == 200
    assert client.delete(f"/_sim/tokens/{token}").status_code == 204
    added = client.post("/_sim/entries", json={"date": at, "sgv": 77, "device": "meter"}).json()
    assert client.patch(f"/_sim/entries/{added['_id']}", json={"sgv": 78}).json()["sgv"] == 78
    assert client.request("DELETE", f"/_sim/entries/{added['_id']}", json={}).status_code == 204
    assert client.post("/_sim/faults", json={"kind": "html"}).status_code == 201
    assert client.get("/_sim").json()["faults"][0]["kind"] == "html"
    assert client.delete("/_sim/faults").status_code == 204
    assert client.post("/_sim/faults", json={"kind": "unheard-of"}).status_code == 422
    assert client.get("/_sim/other").status_code == 404


def test_no_token_is_in_the_list_of_calls() -> None:
    """The control API shows the calls to any caller."""
    reader = SiteReader()
    reader.bearer()

    assert reader.token not in str(reader.client.get("/_sim").json()["calls"])
