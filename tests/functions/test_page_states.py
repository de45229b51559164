"""The first sentence of the page while faults are injected: each is named within one poll."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.facades.page import document
from bg_ingest.facades.page.forms import Forms
from bg_ingest.http_api.pages.page_values import own_view
from bg_ingest.wiring import provider_parts
from bg_ingest.wiring.access import session_parts
from bg_ingest.wiring.page_parts import page_acts
from bg_ingest.wiring.process import Process, process
from dexcom_sim.oauth import RegisteredApplication
from tests.functions.conftest import CHECKOUT, REGION, part
from tests.functions.gateway import Request, send
from tests.functions.test_page import OWN, USER, SignedInBrowser
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.conftest import FunctionsWorld

PERSON = "SandboxUser7"


@pytest.fixture(scope="module")
def dexcom() -> Iterator[httpx.Client]:
    """A simulated Dexcom whose user has no gaps and no late uploads."""
    command = [sys.executable, "-m", "dexcom_sim", "--port", "0", "--reliable", PERSON]
    environ = {"PYTHONPATH": str(CHECKOUT / "simulators" / "dexcom")}
    with subprocess.Popen(  # noqa: S603 - our own command.
        command, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, text=True
    ) as simulator:
        assert simulator.stdout is not None
        address = simulator.stdout.readline().split()[-1]
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield client
        simulator.terminate()


@pytest.fixture
def person(
    world: FunctionsWorld, dexcom: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SignedInBrowser]:
    """A person who has connected the simulated Dexcom from the page, and whose history is stored."""
    dexcom.post("/_sim/reset").raise_for_status()
    address, own = str(dexcom.base_url).rstrip("/"), RegisteredApplication()
    world.restarted(
        monkeypatch,
        PUBLIC_URL=OWN,
        DEXCOM_API_BASE_URL=address,
        DEXCOM_CLIENT_ID=own.client_id,
        DEXCOM_CLIENT_SECRET=own.client_secret,
        BACKFILL_DAYS_MAX="3",
    )
    visitor = SignedInBrowser(world, part(session_parts.sessions).begin(USER, "subject-of-demo"))
    _log_in(visitor, dexcom)
    yield visitor
    part(provider_parts.dexcom).http(address).close()


def _log_in(visitor: SignedInBrowser, dexcom: httpx.Client) -> None:
    login = httpx.URL(visitor.act("connect", provider="dexcom")["headers"]["Location"])
    back = httpx.URL(dexcom.get(str(login.copy_merge_params({"sim_user": PERSON}))).headers["location"])
    headers = {"cookie": f"__Host-session={visitor.cookie}"}
    answer = send(visitor.world, Request("GET", f"{back.path}?{back.query.decode()}", headers=headers))[1]
    assert answer["headers"]["Location"] == "/?notice=connected"
    _work(visitor.world)


def _work(world: FunctionsWorld) -> None:
    """Deliver every waiting order to the worker, as Lambda does."""
    sqs, settings = aws_clients.sqs(REGION), process().settings
    for address in (settings.jobs_queue_url, settings.bulk_queue_url, settings.polls_queue_url):
        answer: Any = sqs.receive_message(QueueUrl=str(address), MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            event = world.event("worker_poll")
            event["Records"][0]["body"] = message["Body"]
            world.invoke("worker", event)
            sqs.delete_message(QueueUrl=str(address), ReceiptHandle=message["ReceiptHandle"])


def _poll(visitor: SignedInBrowser) -> None:
    assert visitor.act("sync")["headers"]["Location"] == "/?notice=looking"
    _work(visitor.world)


def _headline(visitor: SignedInBrowser) -> str:
    return _headline_of(visitor.get()["body"])


def _headline_of(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page)
    assert found
    return found[1]


def _strike(dexcom: httpx.Client, kind: str, **members: Any) -> None:
    dexcom.post("/_sim/faults", json={"kind": kind, **members}).raise_for_status()


def test_all_is_well_after_a_login(person: SignedInBrowser) -> None:
    """The history is stored, and the newest reading is as young as the provider's delay explains."""
    assert _headline(person) == "Flowing"


@pytest.mark.parametrize("status", [503, 429])
def test_a_fault_of_the_provider_is_named(person: SignedInBrowser, dexcom: httpx.Client, status: int) -> None:
    """An outage, and a provider that asks to slow down, are late at Dexcom."""
    _strike(dexcom, "status", status=status)
    _poll(person)

    assert _headline(person) == "Late at Dexcom"


def test_a_stopped_queue_is_late_at_us(person: SignedInBrowser) -> None:
    """Orders wait and no worker takes them: the last look is longer ago than planned."""
    person.act("sync")
    later = FakeClock(process().clock.now() + timedelta(minutes=19))
    sources = Process(process().settings, later).part(page_acts).sources
    page = document.person_page(own_view(sources, USER, "subject-of-demo", None), Forms(""))

    assert _headline_of(str(page)) == "Late at us"


def test_a_revoked_login_asks_to_connect_again(person: SignedInBrowser, dexcom: httpx.Client) -> None:
    """The poll after it finds out; one login starts it again."""
    _strike(dexcom, "user_revoked", user=PERSON)
    _poll(person)
    assert _headline(person) == "Connect again"

    _log_in(person, dexcom)
    assert _headline(person) == "Flowing"


def test_a_disconnected_person_is_stopped(person: SignedInBrowser) -> None:
    """Nothing is fetched any more, and the page says so."""
    person.act("disconnect", provider="dexcom")

    assert _headline(person) == "Stopped"
