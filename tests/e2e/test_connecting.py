"""Connecting through Dexcom's login page, and the end of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local import demo

if TYPE_CHECKING:
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e


def _returned(http: httpx.Client, started: httpx.Response, **choice: str) -> httpx.Response:
    """The person's way through the login page and back to us."""
    login = httpx.URL(started.json()["authorize_url"]).copy_merge_params(choice)
    return http.get(http.get(login).headers["location"], headers={"Accept": "text/html"})


def test_connecting_fetching_and_ending_it(cloud: Stack, caller: Any, http: httpx.Client) -> None:
    """A person connects, has a history, disconnects; what was stored stays."""
    ida: Api = caller("ida")
    assert ida.get("/api/bg/ida/connection").json()["state"] == "disconnected"
    demo.connect(cloud.api, cloud.callers.token("ida"), "ida", "SandboxUser5")
    connected = ida.get("/api/bg/ida/connection").json()
    assert (connected["state"], connected["provider"]) == ("connected", "dexcom")
    demo.wait_for_backfill(cloud.api, cloud.callers.token("ida"), "ida")

    ended = http.delete("/api/bg/ida/connection", headers=ida.client.headers)

    assert ended.status_code == 204
    assert ida.get("/api/bg/ida/connection").json()["state"] == "disconnected"
    assert ida.get("/api/bg/ida/sync").json()["next_poll_at"] is None
    assert ida.post("/api/bg/ida/sync").status_code == 409
    assert ida.get("/api/bg/ida/latest").status_code == 200


def test_saying_no_connects_nothing(caller: Any, http: httpx.Client) -> None:
    """The person sees a page that says so."""
    bea: Api = caller("bea")
    page = _returned(http, bea.post("/api/bg/bea/connection"), sim_user="SandboxUser1", sim_decision="deny")

    assert page.status_code == 200
    assert "You are not connected" in page.text
    assert bea.get("/api/bg/bea/connection").json()["state"] == "disconnected"


def test_a_login_works_once(caller: Any, http: httpx.Client) -> None:
    """The way back cannot be walked twice."""
    max_: Api = caller("max")
    login = httpx.URL(max_.post("/api/bg/max/connection").json()["authorize_url"])
    back = http.get(login.copy_merge_params({"sim_user": "SandboxUser1"})).headers["location"]

    assert http.get(back).status_code == 200
    again = http.get(back)
    assert again.status_code == 400
    assert again.json()["type"].endswith("/state-invalid")


def test_a_state_that_nobody_started_is_refused_as_a_page_for_people(http: httpx.Client) -> None:
    """In a browser there is text to read."""
    page = http.get("/oauth/callback?state=made-up&code=made-up", headers={"Accept": "text/html"})

    assert page.status_code == 400
    assert "no longer valid" in page.text
