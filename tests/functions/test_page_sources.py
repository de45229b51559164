"""The page of a person with Dexcom and a Nightscout of their own; the server is the simulator."""

from __future__ import annotations

import html
import json
import re
from csv import DictReader
from typing import Any

import pytest

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.wiring import queue_parts
from bg_ingest.wiring.access import grant_parts, session_parts
from bg_ingest.wiring.sync_parts import sync_service
from nightscout_sim.faults import Fault
from tests.functions.conftest import part
from tests.functions.gateway import Request, send
from tests.functions.test_own_server import OwnServer, own
from tests.functions.test_page import OWN, USER, SignedInBrowser

__all__ = ["own"]

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def visitor(own: OwnServer, monkeypatch: pytest.MonkeyPatch) -> SignedInBrowser:
    """The demo user's browser, signed in."""
    own.world.restarted(monkeypatch, PUBLIC_URL=OWN)
    return SignedInBrowser(own.world, part(session_parts.sessions).begin(USER, "subject-of-demo"))


def _connect(visitor: SignedInBrowser, own: OwnServer, **changes: str) -> dict[str, Any]:
    fields = {"provider": "nightscout", "address": own.url, "token": own.token} | changes
    return visitor.act("connect", **fields)


def _sync() -> None:
    """Carry out every waiting order of the own server."""
    for job in part(queue_parts.jobs).newest_first(USER):
        if job.order.source == "nightscout":
            part(sync_service).carry_out(job.order, lambda: 110.0)


def _text(visitor: SignedInBrowser) -> str:
    page = re.sub(r"<style>.*?</style>|<[^>]+>", " ", visitor.get()["body"], flags=re.DOTALL)
    return " ".join(html.unescape(page).split())


def _states(visitor: SignedInBrowser) -> dict[str, str]:
    _, answer = send(visitor.world, Request("GET", f"/api/bg/{USER}/connection", {"sub": USER}))
    return {each["provider"]: each["state"] for each in json.loads(answer["body"])["sources"]}


def test_a_person_connects_their_own_server_on_the_page(visitor: SignedInBrowser, own: OwnServer) -> None:
    """The history is fetched, and the page lists both sources with their forms."""
    assert "Connect your Nightscout" in _text(visitor)
    assert _connect(visitor, own)["headers"]["Location"] == "/?notice=connected"
    _sync()
    text = _text(visitor)

    assert _states(visitor) == {"dexcom": "connected", "nightscout": "connected"}
    assert re.search(r"Nightscout : flowing; newest \d\d:\d\d, .* old; connected on", text)
    assert "Your Dexcom account" in text
    assert "Your Nightscout" in text


def test_the_sentence_names_the_source_that_fails(visitor: SignedInBrowser, own: OwnServer) -> None:
    """Dexcom refuses the login; the person's own server flows on."""
    _connect(visitor, own)
    _sync()
    connections = part(queue_parts.connections)
    dexcom = connections.get(USER)
    assert dexcom
    assert connections.mark_needs_reauth(USER, dexcom.generation)
    text = _text(visitor)

    assert "Flowing from your Nightscout" in text
    assert "Dexcom needs you to connect again: it no longer accepts our access." in text
    assert "Connect Dexcom" in text


def test_the_sentence_names_the_own_server_that_fails(visitor: SignedInBrowser, own: OwnServer) -> None:
    """Its poll fails, and the next page says so."""
    _connect(visitor, own)
    _sync()
    own.site.faults.append(Fault("status", status=503))
    visitor.act("sync")
    _sync()

    assert "Nightscout gives us nothing since" in _text(visitor)


def test_interval_and_end_are_of_one_source(visitor: SignedInBrowser, own: OwnServer) -> None:
    """The other source stays as it is."""
    _connect(visitor, own)
    saved = visitor.act("interval", provider="nightscout", seconds="3600")
    states = part(queue_parts.states)

    assert saved["headers"]["Location"] == "/?notice=saved"
    assert {each.source: each.poll_interval_s for each in states.of_user(USER)} == {
        "": 900,
        "nightscout": 3600,
    }

    ended = visitor.act("disconnect", provider="nightscout")
    assert ended["headers"]["Location"] == "/?notice=disconnected"
    assert _states(visitor) == {"dexcom": "connected", "nightscout": "disconnected"}
    assert "Connect your Nightscout" in _text(visitor)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"token": "reader-0000000000000000"}, 422, "The token is not known to this server"),
        ({"token": ""}, 422, "The token is required for this provider."),
        ({"address": "ftp://ns.example.org"}, 422, "The address must be https:// and a host"),
        ({"address": "http://127.0.0.1:9"}, 503, "cannot be reached"),
    ],
)
def test_refused_credentials_are_explained(
    visitor: SignedInBrowser, own: OwnServer, changes: dict[str, str], status: int, said: str
) -> None:
    """The page says what has to change, and repeats neither the address nor the token."""
    answer = _connect(visitor, own, **changes)

    assert answer["statusCode"] == status
    assert said in answer["body"]
    for value in (own.token, *changes.values()):
        assert not value or value not in answer["body"]
    assert _states(visitor) == {"dexcom": "connected"}
    _, audit = send(visitor.world, Request("GET", f"/api/bg/{USER}/audit", {"sub": USER}))
    entry = json.loads(audit["body"])[0]
    assert (entry["action"], entry["outcome"]) == ("page: connect", "refused")


def test_a_download_names_the_provider_of_the_sensor(visitor: SignedInBrowser, own: OwnServer) -> None:
    """As the export of the API does, also after Dexcom has been disconnected."""
    _connect(visitor, own)
    visitor.act("disconnect", provider="dexcom")
    _, exported = send(visitor.world, Request("GET", f"/api/bg/{USER}/export?format=csv", {"sub": USER}))
    body = visitor.act("export", days="14", format="csv")["body"]

    assert body == exported["body"]
    assert {row["source"] for row in DictReader(body.splitlines())} == {"dexcom"}


def test_a_reader_without_readings_sees_no_newest_time(visitor: SignedInBrowser, own: OwnServer) -> None:
    """The list of sources names the time of the newest reading, as the sentence does."""
    _connect(visitor, own)
    _sync()
    grants = part(grant_parts.grant_service)
    links = [
        f"/see/{grants.create(USER, 'a doctor', reads, GrantDays())[1]}"
        for reads in ([Category.COMPLETENESS], [Category.COMPLETENESS, Category.READINGS])
    ]
    stranger = SignedInBrowser(visitor.world, None)
    without, with_readings = (stranger.get(link)["body"] for link in links)

    assert "Since when" in without
    assert "sources" not in without.partition("</style>")[2]
    assert 'class="lines sources"' in with_readings
