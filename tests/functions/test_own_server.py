"""A login at a user's own Nightscout over HTTP; the server is the simulator on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.clock import SystemClock
from bg_ingest.settings import PROVIDER_NAMES
from bg_ingest.sync.job import JobKind
from bg_ingest.wiring import provider_parts, queue_parts
from bg_ingest.wiring.process import process, users_table
from bg_ingest.wiring.sync_parts import sync_service
from local.ports import free_port
from nightscout_sim.faults import Fault
from nightscout_sim.server import SiteServer
from nightscout_sim.site import NightscoutSite
from tests.functions.conftest import REGION, part
from tests.support.web_server import ANY_PORT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.conftest import FunctionsWorld

USER = "grace"


@dataclass
class OwnServer:
    """A user without a connection, and a running server."""

    world: FunctionsWorld
    site: NightscoutSite
    url: str
    token: str

    def call(self, name: str, body: Any = None, user_id: str = USER, **query: str) -> tuple[int, Any]:
        """The status and the document of a request of a user."""
        event = self.world.event(name, queryStringParameters=query)
        event["rawPath"] = event["rawPath"].replace("demo", user_id)
        event["pathParameters"] = {"userId": user_id}
        event["requestContext"]["http"]["path"] = event["rawPath"]
        event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = user_id
        if body is not None:
            event["body"] = json.dumps(body)
            event["headers"]["content-type"] = "application/json"
        answer = self.world.invoke("connect", event)
        return answer["statusCode"], json.loads(answer["body"]) if answer.get("body") else None

    def connect(self, user_id: str = USER, **changes: Any) -> tuple[int, Any]:
        """Connect the user to the server."""
        body = {"provider": "nightscout", "url": self.url, "token": self.token} | changes
        return self.call("connect_start", {name: value for name, value in body.items() if value}, user_id)


@pytest.fixture
def own(world: FunctionsWorld) -> Iterator[OwnServer]:
    """A server with two days of entries."""
    site = NightscoutSite(history_days=2)
    token = site.tokens.add("reader", "readable")
    with serving(SiteServer(ANY_PORT, site)) as address:
        yield OwnServer(world, site, address, token)


pytestmark = pytest.mark.enable_socket


@pytest.mark.usefixtures("world")
def test_the_description_lists_every_provider() -> None:
    """The names in openapi.json are those that wiring binds."""
    assert set(part(provider_parts.providers)) == set(PROVIDER_NAMES)


def test_a_user_connects_to_their_own_server(own: OwnServer) -> None:
    """The credentials are tried at once; the answer is the connection, and the history is queued."""
    status, shown = own.connect()

    assert (status, shown["state"], shown["provider"]) == (201, "connected", "nightscout")
    assert own.call("connect_state") == (200, shown)
    state = part(queue_parts.states).get(USER)
    assert state is not None
    assert state.poll_interval_s == 300
    (order,) = part(queue_parts.jobs).newest_first(USER)
    assert order.order.kind is JobKind.BACKFILL


def test_the_order_fetches_the_history(own: OwnServer) -> None:
    """Carried out by the worker's engine, with the sealed login, it stores every entry."""
    own.connect()
    message = aws_clients.sqs(REGION).receive_message(QueueUrl=str(process().settings.bulk_queue_url))[
        "Messages"
    ][0]
    (job,) = part(queue_parts.jobs).newest_first(USER)
    assert json.loads(message["Body"])["job_id"] == job.order.job_id
    result = part(sync_service).carry_out(job.order, lambda: 110.0)

    assert result.counts is not None
    assert result.counts.stored == 576


def test_neither_address_nor_token_is_stored_in_plain_text(own: OwnServer) -> None:
    """The item of the connection holds both in its seal."""
    own.connect()
    items = list(part(users_table).query("pk = :pk", {":pk": USER}))

    assert items
    assert own.token not in repr(items)
    assert "127.0.0.1" not in repr(items)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"url": None}, "url", "is required"),
        ({"token": None}, "token", "is required"),
        ({"return_url": "https://app.example.org"}, "return_url", "is not used"),
        ({"provider": "libre"}, "provider", "must be one of dexcom, nightscout"),
        ({"url": "ftp://127.0.0.1"}, "url", "must be https://"),
        ({"token": "reader-0000000000000000"}, "token", "is not known"),
        ({"token": "a\nb"}, "token", "one line"),
    ],
)
def test_wrong_credentials_are_422(own: OwnServer, changes: dict[str, Any], field: str, reason: str) -> None:
    """The field that has to change is named, and the user is not connected."""
    status, problem = own.connect(**changes)

    assert status == 422
    assert problem["errors"][0]["field"] == field
    assert reason in problem["errors"][0]["reason"]
    assert own.call("connect_state")[1]["state"] == "disconnected"


def test_a_token_that_may_write_is_422(own: OwnServer) -> None:
    """The reason says to make one that may only read."""
    status, problem = own.connect(token=own.site.tokens.add("writer", "admin"))

    assert (status, problem["errors"][0]["field"]) == (422, "token")
    assert "may change data" in problem["errors"][0]["reason"]


def test_a_server_that_does_not_answer_is_503(own: OwnServer) -> None:
    """The request can be repeated; nothing is stored."""
    status, problem = own.connect(url=f"http://127.0.0.1:{free_port()}")

    assert (status, problem["type"].rpartition("/")[2]) == (503, "provider-unavailable")
    own.site.faults.append(Fault("status", times=4))
    assert own.connect()[0] == 503
    assert own.call("connect_state")[1]["state"] == "disconnected"


def test_outside_development_a_private_address_is_422(
    own: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only https to a public address is called."""
    own.world.restarted(
        monkeypatch,
        ENVIRONMENT="staging",
        DEXCOM_API_BASE_URL="https://sandbox-api.dexcom.com",
        DEXCOM_REDIRECT_URI="https://api.example.org/oauth/callback",
        SECRET_NAME="secret",
    )
    monkeypatch.delenv("WEBHOOK_SECRETS")
    own.world.restarted(monkeypatch)
    calls = len(own.site.calls)

    assert own.connect()[1]["errors"][0]["field"] == "url"
    status, problem = own.connect(url=own.url.replace("http://", "https://"))
    assert (status, problem["errors"][0]["reason"]) == (422, "leads to an address that is not public")
    assert len(own.site.calls) == calls


def test_a_connection_is_ended_by_its_provider(own: OwnServer) -> None:
    """`provider` ends the connection to that one only; the user can connect again."""
    own.connect()

    assert own.call("connect_remove", provider="dexcom")[0] == 409
    assert own.call("connect_remove", provider="libre")[0] == 422
    assert own.call("connect_state")[1]["state"] == "connected"
    assert own.call("connect_remove", provider="nightscout")[0] == 204
    assert own.call("connect_state")[1]["state"] == "disconnected"
    assert own.connect()[1]["state"] == "connected"


def test_no_log_line_contains_the_address_or_the_token(own: OwnServer, capsys: Any) -> None:
    """Calls are logged by their path without the token, and never by their host."""
    own.connect()
    own.connect(url=f"http://127.0.0.1:{free_port()}")
    log = capsys.readouterr().out

    assert '"path":"/api/v2/authorization/request/"' in log
    assert own.token not in log
    assert "127.0.0.1" not in log


def test_a_login_keeps_the_interval_that_the_user_chose(own: OwnServer) -> None:
    """Only a user who has not chosen gets the provider's own."""
    own.connect()
    part(queue_parts.states).choose_interval(USER, 3_600)
    own.connect()

    state = part(queue_parts.states).get(USER)
    assert state is not None
    assert state.own_interval_s == 3_600
    assert state.backfill.start <= SystemClock().now() - timedelta(days=29)
