"""The page through its function: the page itself, its forms, the sign-in, and the link of a grant."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from bg_ingest.access.caller import Caller
from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.aws import aws_clients
from bg_ingest.erasing.receipt import ErasureActor
from bg_ingest.facades.page.jobs_in_words import job_in_words
from bg_ingest.facades.page.wording import Wording, offset_zone, percent
from bg_ingest.http_api.pages.page_acts import act_on
from bg_ingest.http_api.pages.page_response import SentForm
from bg_ingest.readings.model import Reading
from bg_ingest.signing_in.session import SESSION_LIFE, PageSession
from bg_ingest.wiring import erase_parts, queue_parts, store_parts
from bg_ingest.wiring.access import grant_parts, session_parts
from bg_ingest.wiring.page_parts import page_acts
from bg_ingest.wiring.process import process
from tests.functions.conftest import REGION, part
from tests.functions.gateway import Request, send
from tests.support.fakes import FakeClock
from tests.support.page_views import generated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.functions.conftest import FunctionsWorld

USER = "demo"
OWN = "https://api.example.com"
CLAIMS = {"sub": USER}


@dataclass(frozen=True, slots=True)
class SignedInBrowser:
    """A browser with the cookie of a session, or without one."""

    world: FunctionsWorld
    cookie: str | None

    def get(self, url: str = "/", **headers: str) -> dict[str, Any]:
        """Open a page."""
        return send(self.world, Request("GET", url, headers=self._sent(headers)))[1]

    def post(self, fields: Mapping[str, str], **headers: str) -> dict[str, Any]:
        """Send a form from the page itself."""
        sent = self._sent({"origin": OWN, "content-type": "application/x-www-form-urlencoded"} | headers)
        return send(self.world, Request("POST", "/", headers=sent, body=urlencode(fields)))[1]

    def act(self, act: str, **fields: str) -> dict[str, Any]:
        """Send a form with the token that the page has given."""
        return self.post({"act": act, "form_token": self.form_token} | fields)

    @property
    def form_token(self) -> str:
        """The token in the forms of the page."""
        found = re.search(r'name="form_token" value="(\w+)"', self.get()["body"])
        assert found
        return found[1]

    def _sent(self, headers: Mapping[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return named | ({"cookie": f"a=b; __Host-session={self.cookie}"} if self.cookie else {})


@pytest.fixture
def visitor(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> SignedInBrowser:
    """The demo user's browser, signed in."""
    world.restarted(monkeypatch, PUBLIC_URL=OWN)
    return SignedInBrowser(world, part(session_parts.sessions).begin(USER, "subject-of-demo"))


def _text(answer: dict[str, Any]) -> str:
    """What a person reads on a page."""
    return html.unescape(
        re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", answer["body"], flags=re.DOTALL))
    )


def _api(world: FunctionsWorld, path: str) -> Any:
    _, answer = send(world, Request("GET", path, CLAIMS))
    assert answer["statusCode"] == 200, answer["body"]
    return json.loads(answer["body"])


def test_a_visitor_sees_what_this_is(world: FunctionsWorld) -> None:
    """Without a session the page explains itself and offers to sign in; nothing of a person is there."""
    answer = SignedInBrowser(world, None).get()

    assert answer["statusCode"] == 200
    assert 'href="/signin"' in answer["body"]
    assert USER not in answer["body"]


def test_the_page_is_of_its_person(visitor: SignedInBrowser) -> None:
    """It shows the status, the newest value and the forms of the person who has signed in."""
    answer = visitor.get()

    assert answer["statusCode"] == 200
    assert "Newest" in _text(answer)
    assert re.search(r'class="value[^"]*">100<', answer["body"])
    assert 'value="disconnect"' in answer["body"]


def test_no_cache_and_no_other_site_gets_the_page(visitor: SignedInBrowser) -> None:
    """The headers forbid storing, framing, scripts and every request to another site."""
    for path in ("/", "/signout", "/see/unknown-0123456789abcdef"):
        assert visitor.get(path, sec_fetch_site="cross-site")["headers"]["Cache-Control"] == "no-store"
    headers = visitor.get()["headers"]
    policy = headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "script-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("seed", "length"), [(1, 0.5), (2, 3), (3, 16)])
def test_each_number_is_that_of_the_api(visitor: SignedInBrowser, seed: int, length: float) -> None:
    """For generated people the value, figures, bands and days are those that the API answers then."""
    now = process().clock.now().replace(microsecond=0)
    readings = [Reading(at, mg_dl) for at, mg_dl in generated(length, now, seed)]
    part(store_parts.reading_store).save(USER, readings, now)
    world, text = visitor.world, _text(visitor.get())
    latest = _api(world, f"/api/bg/{USER}/latest")
    figures = _api(world, f"/api/bg/{USER}/statistics?compare=previous")
    first = now.date() - timedelta(days=13)
    by_day = _api(world, f"/api/bg/{USER}/completeness?days=local&from={first}")["days"]
    numbers = re.sub(r"\s+", " ", text)

    assert str(latest["glucose_mg_dl"]) in numbers
    assert f"{int(figures['mean_mg_dl'] + 0.5)} mg/dL" in numbers
    assert f"{figures['gmi_percent']:.1f} %" in numbers
    assert f"{figures['gri']['value']:.0f} zone {figures['gri']['zone']}" in numbers
    for band in figures["bands"].values():
        assert percent(band["percent"]) in numbers
    assert by_day
    for day in by_day:
        assert f"{day['received'] + day['late']} of {day['expected']}" in numbers


def test_days_that_open_are_local_days(visitor: SignedInBrowser) -> None:
    """For a person ten hours ahead of UTC each opened day is that of the API's local days."""
    now = process().clock.now().replace(microsecond=0)
    readings = [
        Reading(at, mg_dl, local_offset_minutes=600)
        for at, mg_dl in generated(16, now)
        if at.date()
        != now.date() - timedelta(days=4)  # A day of UTC without readings: parts of two local ones.
    ]
    part(store_parts.reading_store).save(USER, readings, now)
    numbers = re.sub(r"\s+", " ", _text(visitor.get()))
    today = (now + timedelta(hours=10)).date()
    local = _api(visitor.world, f"/api/bg/{USER}/completeness?days=local&from={today - timedelta(days=13)}")

    assert len(local["days"]) == 14
    for day in local["days"]:
        on = date.fromisoformat(day["date"])
        assert f"{on:%a} {on.day} {on:%b} {day['received'] + day['late']} of {day['expected']}" in numbers


def test_profile_cv_and_jobs_are_those_of_the_api(visitor: SignedInBrowser) -> None:
    """The variation, the middle and the range of the profile, and each job's counts."""
    now = process().clock.now().replace(microsecond=0)
    readings = [Reading(at, mg_dl, local_offset_minutes=60) for at, mg_dl in generated(16, now, 5)]
    part(store_parts.reading_store).save(USER, readings, now)
    visitor.act("sync")
    numbers = re.sub(r"\s+", " ", _text(visitor.get()))
    figures = _api(visitor.world, f"/api/bg/{USER}/statistics")
    bins = _api(visitor.world, f"/api/bg/{USER}/profile")["bins"]
    jobs = _api(visitor.world, f"/api/bg/{USER}/sync/jobs")

    assert f"CV {figures['cv_percent']:.0f} %" in numbers
    for each in bins:
        shown = " ".join(str(int(each[name] + 0.5)) for name in ("p5", "p25", "p50", "p75", "p95"))
        assert shown in numbers, each
    assert jobs
    for job in jobs:
        words = job_in_words(job, Wording(now, offset_zone(60), "mg/dL"))
        assert re.sub(r"\s+", " ", words) in numbers


@pytest.mark.parametrize("cookie", [None, "", "forged", "A" * 500], ids=str)
def test_a_forged_session_is_refused(world: FunctionsWorld, cookie: str | None) -> None:
    """The page is that of a visitor, and a form is refused."""
    visitor = SignedInBrowser(world, cookie)

    assert 'href="/signin"' in visitor.get()["body"]
    assert visitor.post({"act": "disconnect", "form_token": "x"})["statusCode"] == 403


def test_an_expired_session_is_refused(visitor: SignedInBrowser) -> None:
    """After twelve hours the cookie opens nothing."""
    sessions = part(session_parts.sessions)
    later = FakeClock(process().clock.now() + SESSION_LIFE)

    assert sessions.of(visitor.cookie)
    assert replace(sessions, clock=later).of(visitor.cookie) is None


def test_signing_out_ends_the_session(visitor: SignedInBrowser) -> None:
    """The cookie is removed, and a copy of it opens nothing any more."""
    answer = visitor.get("/signout")

    assert answer["statusCode"] == 303
    assert "Max-Age=0" in answer["cookies"][0]
    assert 'href="/signin"' in visitor.get()["body"]


def test_another_site_cannot_sign_a_person_out(visitor: SignedInBrowser) -> None:
    """A link from elsewhere asks first; the form of that page signs out."""
    asked = visitor.get("/signout", sec_fetch_site="cross-site")

    assert asked["statusCode"] == 200
    assert "Sign out?" in _text(asked)
    assert visitor.act("sign-out")["statusCode"] == 303
    assert 'href="/signin"' in visitor.get()["body"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", f"{OWN}.evil.example", "http://api.example.com"]
)
def test_a_form_of_another_site_is_refused(visitor: SignedInBrowser, origin: str) -> None:
    """Even with the right token nothing happens, and nothing is recorded as done."""
    fields = {"act": "disconnect", "form_token": visitor.form_token}

    assert visitor.post(fields, origin=origin)["statusCode"] == 403
    assert _api(visitor.world, f"/api/bg/{USER}/connection")["state"] == "connected"


def test_the_token_of_another_session_is_refused(visitor: SignedInBrowser) -> None:
    """A token belongs to one session, also if both are of one person; a missing one is refused too."""
    other = SignedInBrowser(visitor.world, part(session_parts.sessions).begin(USER, "subject-of-demo"))
    stranger = SignedInBrowser(visitor.world, part(session_parts.sessions).begin("eve", "subject-of-eve"))

    for token in (other.form_token, stranger.form_token, "", "é"):
        assert visitor.post({"act": "disconnect", "form_token": token})["statusCode"] == 403
    assert _api(visitor.world, f"/api/bg/{USER}/connection")["state"] == "connected"


def test_acts_change_what_the_api_shows(visitor: SignedInBrowser) -> None:
    """The interval, a sync and the end of the connection, each with an entry in the audit log."""
    assert (
        visitor.act("interval", seconds="3600", provider="dexcom")["headers"]["Location"] == "/?notice=saved"
    )
    assert _api(visitor.world, f"/api/bg/{USER}/sync")["poll_interval_seconds"] == 3600

    assert visitor.act("sync")["headers"]["Location"] == "/?notice=looking"
    assert _api(visitor.world, f"/api/bg/{USER}/sync/jobs")[0]["trigger"] == "api"

    assert visitor.act("disconnect", provider="dexcom")["headers"]["Location"] == "/?notice=disconnected"
    assert _api(visitor.world, f"/api/bg/{USER}/connection")["state"] == "disconnected"

    entries = _api(visitor.world, f"/api/bg/{USER}/audit")
    assert [(each["actor"], each["action"], each["outcome"]) for each in entries] == [
        ("subject-of-demo", f"page: {act}", "done") for act in ("disconnect", "sync", "interval")
    ]


def test_connecting_leads_to_the_provider(visitor: SignedInBrowser) -> None:
    """The browser is sent to the provider's login page, which the policy of the page allows."""
    answer = visitor.act("connect", provider="dexcom")
    provider = process().settings.dexcom_api_base_url

    assert answer["statusCode"] == 303
    assert answer["headers"]["Location"].startswith(f"{provider}/")
    assert f"form-action 'self' {provider}" in visitor.get()["headers"]["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("interval", {"seconds": "301", "provider": "dexcom"}),
        ("interval", {"seconds": "900"}),
        ("interval", {"seconds": "900", "provider": "libre"}),
        ("connect", {}),
        ("connect", {"provider": "libre"}),
        ("connect", {"provider": "nightscout", "address": "https://a.example", "token": "x" * 201}),
        ("disconnect", {}),
        ("disconnect", {"provider": "libre"}),
        ("show", {"unit": "stones", "zone": ""}),
        ("show", {"unit": "mg/dL", "zone": "../../etc/passwd"}),
        ("show", {"unit": "mg/dL", "zone": "Nowhere/City"}),
        ("grant", {"label": "", "days": "14", "expires": "7", "reads": "readings"}),
        ("grant", {"label": "x", "days": "15", "expires": "7", "reads": "readings"}),
        ("grant", {"label": "x", "days": "14", "expires": "7", "reads": "everything"}),
        ("revoke", {"grant": "0" * 28}),
        ("export", {"days": "93", "format": "csv"}),
        ("export", {"days": "-1", "format": "csv"}),
        ("export", {"days": "14", "format": "exe"}),
        ("export", {"days": "14", "format": "parquet"}),
        ("fly", {}),
    ],
)
def test_a_wrong_field_changes_nothing(visitor: SignedInBrowser, act: str, fields: dict[str, str]) -> None:
    """The page says that it was not valid."""
    assert visitor.act(act, **fields)["headers"]["Location"] == "/?notice=not-valid"


@pytest.mark.parametrize("act", ["disconnect", "interval"])
def test_a_source_that_was_never_connected_is_named(visitor: SignedInBrowser, act: str) -> None:
    """A form about it changes nothing, and the page says why."""
    answer = visitor.act(act, provider="nightscout", seconds="900")

    assert answer["headers"]["Location"] == "/?notice=not-connected"


def test_a_person_chooses_unit_and_zone(visitor: SignedInBrowser) -> None:
    """The page then shows mmol/L and the times of the zone."""
    assert visitor.act("show", unit="mmol/L", zone="Asia/Kolkata")["headers"]["Location"] == "/?notice=saved"

    text = _text(visitor.get())
    assert "Asia/Kolkata, UTC+5:30" in text
    assert re.search(r"5\.6\s", text)


def test_a_person_downloads_their_readings(visitor: SignedInBrowser) -> None:
    """One file with every reading, stored by no cache, and a name without the person."""
    answer = visitor.act("export", days="14", format="csv")

    assert answer["headers"]["Content-Disposition"].startswith('attachment; filename="glucose-readings-')
    assert USER not in answer["headers"]["Content-Disposition"]
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert len(answer["body"].splitlines()) == 1 + len(_api(visitor.world, f"/api/bg/{USER}"))


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_download_is_the_export_of_the_api(visitor: SignedInBrowser, kind: str) -> None:
    """The columns and the rows of `GET …/export`, also for a browser that accepts gzip."""
    sent = {"act": "export", "form_token": visitor.form_token, "days": "14", "format": kind}
    answer = visitor.post(sent, accept_encoding="gzip")
    _, exported = send(visitor.world, Request("GET", f"/api/bg/{USER}/export?format={kind}", CLAIMS))
    own = gzip.decompress(base64.b64decode(answer["body"])).decode()

    assert answer["headers"]["Content-Type"] == exported["headers"]["Content-Type"]
    assert own == exported["body"]
    assert len(own.splitlines()) >= len(_api(visitor.world, f"/api/bg/{USER}"))


@pytest.mark.usefixtures("world")
def test_too_many_readings_for_one_file_are_refused() -> None:
    """The page says so; a link to a file would be a secret in an address."""
    acts = part(page_acts)
    session = PageSession(USER, "subject-of-demo", "key")
    few = replace(acts, files=replace(acts.files, text_length_max=100))
    form = SentForm({"act": ["export"], "days": ["14"], "format": ["csv"]})

    assert act_on(few, session, form).headers["Location"] == "/?notice=too-long"


def test_a_download_needs_the_form_of_the_session(visitor: SignedInBrowser) -> None:
    """Neither a link, nor a form of another site, nor one of a signed-out person downloads anything."""
    sent = {"act": "export", "form_token": visitor.form_token, "days": "14", "format": "csv"}
    linked = visitor.get(f"/?{urlencode(sent)}")
    elsewhere = visitor.post(sent, origin="https://evil.example")
    visitor.get("/signout")
    signed_out = visitor.post(sent)

    assert "Content-Disposition" not in linked["headers"]
    assert (elsewhere["statusCode"], signed_out["statusCode"]) == (403, 403)


def test_erasing_is_asked_twice(visitor: SignedInBrowser) -> None:
    """The first form only asks, a wrong word repeats the question, and the right one erases and signs out."""
    assert "Erase all your data here?" in _text(visitor.act("erase"))
    assert "Erase all your data here?" in _text(visitor.act("erase-for-good", confirmed="yes"))
    assert _api(visitor.world, f"/api/bg/{USER}")

    answer = visitor.act("erase-for-good", confirmed="Erase")
    assert "being erased" in _text(answer)
    assert 'href="/signin"' in visitor.get()["body"]

    _deliver_erasures(visitor.world)
    receipt = part(erase_parts.receipts).newest(USER)
    assert receipt
    assert receipt.actor == ErasureActor.of(Caller("subject-of-demo", USER, frozenset()))
    assert _api(visitor.world, f"/api/bg/{USER}") == []


def test_an_erasure_that_comes_again_spares_a_new_login(visitor: SignedInBrowser) -> None:
    """SQS may deliver a message twice; the second erases nothing that came after it."""
    visitor.act("erase-for-good", confirmed="erase")
    (message,) = _erasures()
    visitor.world.invoke("erase", {"Records": [message]})
    now = process().clock.now()
    part(queue_parts.states).start_polling(USER, 900, now - timedelta(days=1))
    visitor.world.invoke("erase", {"Records": [message]})

    assert part(queue_parts.states).get(USER) is not None


def test_a_grant_is_made_used_and_revoked(visitor: SignedInBrowser) -> None:
    """The link is shown once; it shows the granted part read-only, until it is revoked."""
    made = visitor.act("grant", label="my doctor", days="14", expires="30", reads="statistics")
    link = re.search(rf"{OWN}(/see/[\w-]+)", made["body"])
    assert link
    stranger = SignedInBrowser(visitor.world, None)

    shared = stranger.get(link[1])
    assert shared["statusCode"] == 200
    assert "Shared with my doctor" in _text(shared)
    assert "<form" not in shared["body"]
    assert 'id="period"' in shared["body"]
    assert 'id="missing"' not in shared["body"]
    assert not re.search(r'class="value', shared["body"])
    assert shared["headers"]["Referrer-Policy"] == "no-referrer"
    assert [each["headers"]["Cache-Control"] for each in (made, shared)] == ["no-store"] * 2
    assert link[1] not in visitor.get()["body"]

    (grant,) = part(grant_parts.grant_service).of_user(USER)
    assert visitor.act("revoke", grant=grant.grant_id)["headers"]["Location"] == "/?notice=revoked"
    assert stranger.get(link[1])["statusCode"] == 404


def test_a_grant_of_old_days_shows_nothing_newer(visitor: SignedInBrowser) -> None:
    """With fixed days in the past there is neither a current value nor a status."""
    yesterday = (process().clock.now() - timedelta(days=3)).date()
    days = GrantDays(first_day=yesterday, last_day=yesterday)
    reads = [Category.READINGS, Category.STATISTICS]
    _, token = part(grant_parts.grant_service).create(USER, "old", reads, days)

    page = SignedInBrowser(visitor.world, None).get(f"/see/{token}")

    assert page["statusCode"] == 200
    assert "Newest" not in _text(page)
    assert "100" not in re.sub(r"\d+ %", "", _text(page))


def test_an_unknown_link_says_so(world: FunctionsWorld) -> None:
    """An unknown secret gets the same page as a revoked one."""
    answer = SignedInBrowser(world, None).get("/see/unknown-0123456789abcdef")

    assert answer["statusCode"] == 404
    assert "This link does not work" in _text(answer)


def test_a_fault_is_a_page_too(visitor: SignedInBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person gets a page with the number of the request, and not a document for programs."""
    visitor.world.restarted(monkeypatch, PUBLIC_URL=OWN, DYNAMODB_TABLE="no-such-table")

    for headers in ({}, {"accept_encoding": "gzip"}):
        answer = visitor.get("/?utm_source=mail", **headers)
        assert answer["statusCode"] == 500
        assert answer["headers"]["Content-Type"].startswith("text/html")
        assert answer["headers"]["X-Correlation-ID"] in _text(answer)


def test_nothing_of_the_page_is_logged(visitor: SignedInBrowser, capsys: pytest.CaptureFixture[str]) -> None:
    """No cookie, form token, name, value or grant's secret is in a log line."""
    token = visitor.form_token
    visitor.act("interval", seconds="900", provider="dexcom")
    visitor.get("/see/unknown-0123456789abcdef")
    logged = capsys.readouterr().out

    assert "request answered" in logged
    for secret in (visitor.cookie or "", token, USER, "0123456789abcdef"):
        assert secret not in logged


def _erasures() -> list[dict[str, Any]]:
    sqs = aws_clients.sqs(REGION)
    found = sqs.receive_message(QueueUrl=process().settings.erasures_queue_url, MaxNumberOfMessages=10)
    return [{"body": message["Body"]} for message in found.get("Messages", [])]


def _deliver_erasures(world: FunctionsWorld) -> None:
    world.invoke("erase", {"Records": _erasures()})
    assert part(store_parts.reading_store).latest(USER) is None
