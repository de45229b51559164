"""The page of the deployed stack: sign-in, numbers, a login at Dexcom, acts with their role, a grant."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local import demo
from local.cloud import OPERATOR
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import Stack

SIMULATED = "SandboxUser5"


@dataclass
class PageVisitor:
    """A browser: it keeps cookies, also secure ones, because a browser trusts 127.0.0.1."""

    http: httpx.Client
    api: str
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        """Send one request without following a redirect."""
        own = url.startswith(("/", self.api))
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"cookie": sent, "origin": self.api, "accept": "text/html"} if own else {}
        response = self.http.request(method, url, headers=headers, **arguments)
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def follow(self, response: httpx.Response) -> httpx.Response:
        """Follow redirects to the end."""
        while response.is_redirect:
            response = self.send("GET", response.headers["location"])
        return response

    def sign_in(self, user_id: str) -> str:
        """Sign in at the local issuer; return the page."""
        return self.follow(self.send("GET", f"/signin?login_hint={user_id}")).text

    def act(self, act: str, **fields: str) -> httpx.Response:
        """Send a form of the page."""
        token = re.search(r'name="form_token" value="(\w+)"', self.send("GET", "/").text)
        assert token
        return self.send("POST", "/", data={"act": act, "form_token": token[1], **fields})


@pytest.fixture
def visitor(cloud: Stack) -> Iterator[PageVisitor]:
    """A browser without a session."""
    with httpx.Client(base_url=cloud.api, timeout=60, trust_env=False) as http:
        yield PageVisitor(http, cloud.api)


def _text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)).split())


def test_a_person_sees_the_numbers_of_the_api(visitor: PageVisitor, demo_user: Any) -> None:
    """After the sign-in the page shows the newest value and the figures that the API answers."""
    page = _text(visitor.sign_in(demo.USER_ID))
    figures = demo_user.get(f"/api/bg/{demo.USER_ID}/statistics").json()

    assert f"{figures['gmi_percent']:.1f} %" in page
    assert f"{int(figures['mean_mg_dl'] + 0.5)} mg/dL" in page
    assert f"{figures['gri']['value']:.0f} zone {figures['gri']['zone']}" in page


@pytest.mark.integration
def test_a_person_connects_acts_and_erases(visitor: PageVisitor, caller: Any) -> None:
    """Each act works with the page's own role; a login from the page needs no code."""
    visitor.sign_in("page-user")
    api = caller("page-user")
    login = httpx.URL(visitor.act("connect", provider="dexcom").headers["location"])
    at_provider = visitor.send("GET", str(login.copy_merge_params({"sim_user": SIMULATED})))
    connected = visitor.send("GET", at_provider.headers["location"])

    assert connected.headers["location"] == "/?notice=connected"
    assert api.get("/api/bg/page-user/connection").json()["state"] == "connected"

    acts = {
        "sync": {},
        "interval": {"seconds": "3600", "provider": "dexcom"},
        "show": {"unit": "mmol/L", "zone": "Asia/Tokyo"},
    }
    for act, fields in acts.items():
        assert visitor.act(act, **fields).headers["location"] in {"/?notice=saved", "/?notice=looking"}
    assert wait_until(lambda: bool(api.get("/api/bg/page-user").json()), WAIT_S_MAX)
    assert "Asia/Tokyo, UTC+9" in _text(visitor.send("GET", "/").text)
    assert "glucose_mg_dl" in visitor.act("export", days="14", format="csv").text.splitlines()[0]
    lines = visitor.act("export", days="14", format="ndjson").text.splitlines()
    assert "glucose_mg_dl" in json.loads(lines[0])
    assert visitor.act("disconnect", provider="dexcom").headers["location"] == "/?notice=disconnected"

    assert "Erase all your data here?" in _text(visitor.act("erase").text)
    assert "being erased" in _text(visitor.act("erase-for-good", confirmed="erase").text)
    assert 'href="/signin"' in visitor.send("GET", "/").text
    assert wait_until(lambda: api.get("/api/bg/page-user").json() == [], WAIT_S_MAX)


@pytest.mark.integration
def test_the_status_opens_for_an_operator_only(visitor: PageVisitor, demo_user: Any, caller: Any) -> None:
    """The session of the operator sees the numbers that a service gets; no user is named in them."""
    assert visitor.send("GET", "/status").headers["location"] == "/signin"
    visitor.sign_in(demo.USER_ID)
    assert visitor.send("GET", "/status").status_code == 403
    visitor.send("GET", "/signout")
    visitor.sign_in(OPERATOR)
    shown = visitor.send("GET", "/status")
    numbers = caller("a-service", "bg/read").get("/api/status").json()
    page = _text(shown.text)

    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert "script-src" not in shown.headers["content-security-policy"]
    assert numbers["users"]["by_state"]["connected"] >= 1
    assert sum(numbers["users"]["by_state"].values()) == numbers["users"]["counted"]
    assert sum(numbers["sources"]["dexcom"].values()) >= numbers["users"]["by_state"]["connected"]
    assert numbers["quota"]["limit"] > numbers["quota"]["taken"] > 0
    for part in ("Connected is polled", "Newest reading", "Calls to the provider", "At Nightscout"):
        assert part in page
    for name in numbers["queues"]:
        assert name.capitalize() in page
    assert demo.USER_ID not in page + str(numbers)
    assert demo_user.get("/api/status").status_code == 403


@pytest.mark.integration
def test_a_grants_link_works_until_it_is_revoked(
    visitor: PageVisitor, http: httpx.Client, caller: Any
) -> None:
    """The link shows the granted part to a browser without a session."""
    visitor.sign_in(demo.USER_ID)
    fields = {"label": "my doctor", "days": "14", "expires": "30", "reads": "statistics"}
    link = re.search(r"/see/[\w-]+", visitor.act("grant", **fields).text)
    assert link

    assert "Shared with my doctor" in http.get(link[0]).text
    grants = caller(demo.USER_ID).get(f"/api/bg/{demo.USER_ID}/grants").json()
    (grant_id,) = (each["grant_id"] for each in grants if each["label"] == "my doctor")
    assert visitor.act("revoke", grant=grant_id).headers["location"] == "/?notice=revoked"
    assert http.get(link[0]).status_code == 404
