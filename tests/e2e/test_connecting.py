"""Connecting through Dexcom's login page, and the end of a connection."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local import demo
from local.waiting import wait_until
from tests.e2e.conftest import RETURN_URL
from tests.support.waiting import WAIT_S_MAX

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


def _way_back(http: httpx.Client, api: Api, user_id: str, **choice: str) -> httpx.URL:
    """Where the provider sends a person back to, who has logged in there."""
    login = httpx.URL(api.post(f"/api/bg/{user_id}/connection").json()["authorize_url"])
    return httpx.URL(http.get(login.copy_merge_params(choice)).headers["location"])


def test_a_login_works_once(caller: Any, http: httpx.Client) -> None:
    """The way back cannot be walked twice, nor by several at once: one of them connects."""
    back = _way_back(http, caller("max"), "max", sim_user="SandboxUser1")
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: http.get(back), range(3)))
    answers.append(http.get(back))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    refused = {answer.json()["type"] for answer in answers if answer.status_code == 400}
    assert refused == {"https://bg-ingest.dev/problems/state-invalid"}


def test_a_code_works_once(caller: Any, http: httpx.Client) -> None:
    """In another login it is refused by the provider; that login is over, and the first one stands."""
    lea: Api = caller("lea")
    first, second = (_way_back(http, lea, "lea", sim_user="SandboxUser1") for _ in range(2))
    stolen = second.copy_set_param("code", first.params["code"])

    assert http.get(first).status_code == 200
    refused = http.get(stolen, headers={"Accept": "text/html"})
    assert (refused.status_code, "The connection failed" in refused.text) == (502, True)
    assert http.get(second).status_code == 400
    assert lea.get("/api/bg/lea/connection").json()["state"] == "connected"


def test_a_person_is_sent_on_to_where_they_wanted_to_go(caller: Any, http: httpx.Client) -> None:
    """An address of the list, as it stands there; what went wrong is added to it."""
    jon: Api = caller("jon")
    wish = {"return_url": RETURN_URL}
    connected = _returned(http, jon.post("/api/bg/jon/connection", wish), sim_user="SandboxUser1")
    denied = _returned(
        http, jon.post("/api/bg/jon/connection", wish), sim_user="SandboxUser1", sim_decision="deny"
    )

    assert (connected.status_code, connected.headers["location"]) == (302, RETURN_URL)
    assert (denied.status_code, denied.headers["location"]) == (302, f"{RETURN_URL}?error=access_denied")
    assert jon.get("/api/bg/jon/connection").json()["state"] == "connected"


def test_another_account_at_dexcom_adds_nothing_to_a_persons_readings(
    cloud: Stack, caller: Any, http: httpx.Client
) -> None:
    """Two people's readings never become one history: the job says why, and polling stops."""
    kim: Api = caller("kim")
    demo.connect(cloud.api, cloud.callers.token("kim"), "kim", "SandboxUser1")
    demo.wait_for_backfill(cloud.api, cloud.callers.token("kim"), "kim")
    before = kim.get("/api/bg/kim?limit=1000").json()
    assert http.get(_way_back(http, kim, "kim", sim_user="SandboxUser2")).status_code == 200

    def noticed() -> bool:
        jobs = kim.get("/api/bg/kim/sync/jobs").json()
        return any(job["error"] and job["error"]["type"] == "account-changed" for job in jobs)

    assert wait_until(noticed, WAIT_S_MAX)
    assert wait_until(lambda: kim.get("/api/bg/kim/sync").json()["next_poll_at"] is None, WAIT_S_MAX)
    assert kim.get("/api/bg/kim/connection").json()["state"] == "needs_reauth"
    after = kim.get("/api/bg/kim?limit=1000").json()
    known = {reading["timestamp"] for reading in before}
    # What is measured while this runs comes five minutes after the last; another's would be between.
    assert [reading for reading in after if reading["timestamp"] <= max(known)] == [
        reading for reading in before if reading["timestamp"] >= after[0]["timestamp"]
    ]


def test_a_state_that_nobody_started_is_refused_as_a_page_for_people(http: httpx.Client) -> None:
    """In a browser there is text to read."""
    page = http.get("/oauth/callback?state=made-up&code=made-up", headers={"Accept": "text/html"})

    assert page.status_code == 400
    assert "no longer valid" in page.text
