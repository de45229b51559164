"""Callers with access read the same readings that Dexcom has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bg_ingest.clock import SystemClock
from local.waiting import wait_until
from tests.e2e.conftest import PATIENT, PLANTED_VALUE, Api
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    import httpx

    from local.stack import Stack

pytestmark = pytest.mark.e2e

# The emulator starts a tick a minute within ten seconds; then the queue and the sync take some time.
_DEMO = "/api/bg/demo"


def _at_dexcom(dexcom: httpx.Client, person: str, start: datetime, end: datetime) -> list[tuple[str, int]]:
    """Return Dexcom's own answer about this account: instants and values, in order."""
    back = "http://127.0.0.1/back"
    login = {"client_id": "local-client", "redirect_uri": back, "response_type": "code", "state": "s"}
    sent_back = dexcom.get(
        "/v3/oauth2/login", params={**login, "scope": "offline_access", "sim_user": person}
    )
    (code,) = parse_qs(urlsplit(sent_back.headers["location"]).query)["code"]
    secret = {"client_id": "local-client", "client_secret": "local-secret"}
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, **secret}
    tokens = dexcom.post("/v3/oauth2/token", data=form).raise_for_status().json()
    answer = dexcom.get(
        "/v3/users/self/egvs",
        params={"startDate": f"{start:%Y-%m-%dT%H:%M:%S}", "endDate": f"{end:%Y-%m-%dT%H:%M:%S}"},
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    records = answer.raise_for_status().json()["records"]
    return sorted((_utc(record["systemTime"]), record["value"]) for record in records)


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pairs(readings: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(reading["timestamp"], reading["glucose_mg_dl"]) for reading in readings]


def test_a_range_equals_dexcoms_readings(demo_user: Api, dexcom: httpx.Client, now: datetime) -> None:
    """Three days are equal to Dexcom's readings, page by page."""
    start, end = now - timedelta(days=4), now - timedelta(days=1)
    path, got, pages = f"{_DEMO}?from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}", [], 0
    while path:
        page = demo_user.get(path)
        assert page.status_code == 200
        got += page.json()
        path = page.links.get("next", {}).get("url", "")
        pages += 1

    assert _pairs(got) == _at_dexcom(dexcom, "SandboxUser7", start, end)
    assert pages == 3


def test_the_history_is_complete(demo_user: Api, dexcom: httpx.Client, now: datetime) -> None:
    """The history before the login is stored, back to the first requested day."""
    start = now - timedelta(days=13, hours=22)
    end = start + timedelta(hours=12)
    page = demo_user.get(f"{_DEMO}?from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}")

    assert _pairs(page.json()) == _at_dexcom(dexcom, "SandboxUser7", start, end)


def test_a_long_answer_is_compressed_on_its_way(demo_user: Api) -> None:
    """The content coding passes the gateway and the front; a short answer has none."""
    assert demo_user.get(_DEMO).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in demo_user.get(f"{_DEMO}/latest").headers


def test_latest_is_the_newest_of_the_range(demo_user: Api) -> None:
    """The answer is the newest reading and its age."""
    newest = demo_user.get(f"{_DEMO}?order=desc&limit=1").json()[0]
    before = SystemClock().now()
    latest = demo_user.get(f"{_DEMO}/latest")

    assert latest.status_code == 200
    assert latest.json().items() >= newest.items()
    # The simulated sensor has gaps, so the age of its newest reading depends on the time of day.
    measured_at, second = datetime.fromisoformat(newest["timestamp"]), timedelta(seconds=1)
    youngest_s, oldest_s = ((at - measured_at) // second for at in (before, SystemClock().now()))
    assert youngest_s <= latest.json()["age_seconds"] <= oldest_s


@pytest.mark.last
def test_the_schedule_alone_stores_a_new_reading(caller: Any, planted: datetime) -> None:
    """The reading is stored without a requested sync since Dexcom received it."""
    patient: Api = caller(PATIENT.user_id)
    wanted = planted.strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/api/bg/{PATIENT.user_id}?from={wanted}&limit=1"

    def scheduled_jobs() -> list[dict[str, Any]]:
        jobs = patient.get(f"/api/bg/{PATIENT.user_id}/sync/jobs").json()
        return [job for job in jobs if job["trigger"] == "schedule"]

    def is_stored() -> bool:
        # A job finishes a moment after its readings are stored, so the test waits for the job.
        return any(job["counts"]["stored"] for job in scheduled_jobs())

    # The schedule ticks once a minute. Four processes work for each check: ten a second took 5 s of CPU.
    assert wait_until(is_stored, WAIT_S_MAX, every_s=1.0)
    assert _pairs(patient.get(path).json())[:1] == [(wanted, PLANTED_VALUE)]


@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer a.b.c"}, {"Authorization": ""}],
)
def test_a_missing_or_invalid_token_is_refused(http: httpx.Client, header: dict[str, str]) -> None:
    """The gateway answers 401."""
    assert http.get(f"{_DEMO}/latest", headers=header).status_code == 401


def test_a_changed_token_is_refused(http: httpx.Client, cloud: Stack) -> None:
    """A token with an edited claim is refused with 401."""
    header, claims, signature = cloud.demo_token.split(".")
    forged = f"{header}.{claims[:-4]}AAAA.{signature}"

    assert http.get(f"{_DEMO}/latest", headers={"Authorization": f"Bearer {forged}"}).status_code == 401


@pytest.mark.parametrize("path", ["/latest", "", "/sync", "/sync/jobs", "/connection"])
def test_another_user_cannot_read(caller: Any, path: str) -> None:
    """The answer to another user's token is the same for a known and an unknown user."""
    stranger: Api = caller("stranger")
    answers = [stranger.get(f"/api/bg/{user_id}{path}") for user_id in ("demo", "nobody-at-all")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert {answer.json()["type"] for answer in answers} == {"https://bg-ingest.dev/problems/forbidden"}


def test_a_service_reads_only_with_the_scope(caller: Any) -> None:
    """A service token reads with the scope `bg/read` and is refused without it."""
    reader: Api = caller("reporting", "bg/read")
    writer: Api = caller("acting", "bg/write")

    assert reader.get(f"{_DEMO}/latest").status_code == 200
    assert reader.post(f"{_DEMO}/sync").status_code == 403
    assert writer.get(f"{_DEMO}/latest").status_code == 403


def test_the_local_service_token_reads_every_user(cloud: Stack, http: httpx.Client) -> None:
    """The service token of the local stack's file reads every user's data."""
    token = {"Authorization": f"Bearer {cloud.service_token}"}

    assert http.get(f"{_DEMO}/latest", headers=token).status_code == 200
    assert http.get("/api/bg/nobody-at-all/latest", headers=token).status_code == 404
    assert http.get("/api/bg/nobody-at-all", headers=token).json() == []
