"""Connecting through Dexcom's login page, and ending a connection."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local import demo
from tests.e2e.conftest import RETURN_URL

if TYPE_CHECKING:
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e


def _returned(http: httpx.Client, started: httpx.Response, **choice: str) -> httpx.Response:
    """Log in at Dexcom's page and follow the redirect back to the API, as a browser does."""
    login = httpx.URL(started.json()["authorize_url"]).copy_merge_params(choice)
    return http.get(http.get(login).headers["location"], headers={"Accept": "text/html"})


def test_connect_fetch_and_disconnect(cloud: Stack, caller: Any, http: httpx.Client) -> None:
    """A user connects, gets a history and disconnects; the stored readings are kept."""
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


def test_a_denied_login_does_not_connect(caller: Any, http: httpx.Client) -> None:
    """A user who denies access sees a page that says so, and is not connected."""
    bea: Api = caller("bea")
    page = _returned(http, bea.post("/api/bg/bea/connection"), sim_user="SandboxUser1", sim_decision="deny")

    assert page.status_code == 200
    assert "You are not connected" in page.text
    assert bea.get("/api/bg/bea/connection").json()["state"] == "disconnected"


def _redirect_target(http: httpx.Client, api: Api, user_id: str, **choice: str) -> httpx.URL:
    """Return the address that Dexcom redirects a logged-in user to."""
    login = httpx.URL(api.post(f"/api/bg/{user_id}/connection").json()["authorize_url"])
    return httpx.URL(http.get(login.copy_merge_params(choice)).headers["location"])


@pytest.mark.integration
def test_a_login_works_once(caller: Any, http: httpx.Client) -> None:
    """The redirect of a login is accepted once, even if several requests use it at the same time."""
    back = _redirect_target(http, caller("max"), "max", sim_user="SandboxUser1")
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: http.get(back), range(3)))
    answers.append(http.get(back))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    refused = {answer.json()["type"] for answer in answers if answer.status_code == 400}
    assert refused == {"https://bg-ingest.dev/problems/state-invalid"}


@pytest.mark.integration
def test_a_code_works_once(caller: Any, http: httpx.Client) -> None:
    """Dexcom refuses a used code in another login; that login ends, and the first connection is kept."""
    lea: Api = caller("lea")
    first, second = (_redirect_target(http, lea, "lea", sim_user="SandboxUser1") for _ in range(2))
    stolen = second.copy_set_param("code", first.params["code"])

    code = http.get(first, headers={"Accept": "application/json"}).json()["confirm"]
    assert lea.post("/api/bg/lea/connection/confirm", {"confirm": code}).status_code == 200
    refused = http.get(stolen, headers={"Accept": "text/html"})
    assert (refused.status_code, "The connection failed" in refused.text) == (502, True)
    assert http.get(second).status_code == 400
    assert lea.get("/api/bg/lea/connection").json()["state"] == "connected"


@pytest.mark.integration
def test_a_login_redirects_to_the_requested_address(caller: Any, http: httpx.Client) -> None:
    """The redirect goes to the listed address with the code, or with the error of a failed login."""
    jon: Api = caller("jon")
    wish = {"return_url": RETURN_URL}
    accepted = _returned(http, jon.post("/api/bg/jon/connection", wish), sim_user="SandboxUser1")
    denied = _returned(
        http, jon.post("/api/bg/jon/connection", wish), sim_user="SandboxUser1", sim_decision="deny"
    )

    assert accepted.status_code == 302
    assert accepted.headers["location"].startswith(f"{RETURN_URL}?confirm=")
    shown = jon.get("/api/bg/jon/connection").json()
    assert (shown["state"], shown["pending"]) == ("disconnected", True)
    code = httpx.URL(accepted.headers["location"]).params["confirm"]
    assert caller("jim").post("/api/bg/jim/connection/confirm", {"confirm": code}).status_code == 404
    assert jon.post("/api/bg/jon/connection/confirm", {"confirm": code}).json()["state"] == "connected"
    assert (denied.status_code, denied.headers["location"]) == (302, f"{RETURN_URL}?error=access_denied")
    assert jon.get("/api/bg/jon/connection").json()["state"] == "connected"


@pytest.mark.integration
def test_another_dexcom_account_is_refused(cloud: Stack, caller: Any, http: httpx.Client) -> None:
    """Readings of two Dexcom accounts are never mixed: the login is refused, the first stays connected."""
    kim: Api = caller("kim")
    demo.connect(cloud.api, cloud.callers.token("kim"), "kim", "SandboxUser1")
    demo.wait_for_backfill(cloud.api, cloud.callers.token("kim"), "kim")
    page = _returned(http, kim.post("/api/bg/kim/connection"), sim_user="SandboxUser2")
    shown = kim.get("/api/bg/kim/connection").json()

    assert (page.status_code, "another account" in page.text) == (409, True)
    assert (shown["state"], shown["pending"], shown["account_changed"]) == ("connected", False, True)
    assert shown["last_error"]["type"] == "account-changed"
    assert kim.post("/api/bg/kim/sync").status_code == 200
    assert kim.get("/api/bg/kim/connection").json()["account_changed"] is False


def test_an_unknown_state_is_answered_with_a_page(http: httpx.Client) -> None:
    """A browser with an unknown state gets a page in HTML."""
    page = http.get("/oauth/callback?state=made-up&code=made-up", headers={"Accept": "text/html"})

    assert page.status_code == 400
    assert "no longer valid" in page.text
