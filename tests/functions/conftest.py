"""The functions with their real wiring, as Lambda calls them: AWS is moto, and the provider is down."""

from __future__ import annotations

import importlib
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import pytest
from moto import mock_aws

from bg_ingest.clock import SystemClock
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.readings.model import Device, Reading
from bg_ingest.settings import SettingsInvalid
from bg_ingest.telemetry import logger
from bg_ingest.telemetry.meter import meter
from bg_ingest.wiring import provider_parts, queue_parts, store_parts
from bg_ingest.wiring.process import process
from local.ports import HOST
from local.webhook_sender import body_in, signed_headers
from tests.support.aws_in_process import AwsInProcess, aws_in_process
from tests.support.fakes import WaitlessClock
from tests.support.leaks import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET
from tests.support.logins import store_tokens
from tests.support.moto_kms import same_key
from tests.support.moto_resources import bucket, event_bus, queue_url
from tests.support.roles import RoleWatch, function_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bg_ingest.wiring.process import Process

    Part = TypeVar("Part")

REGION = "eu-west-1"
TABLES = {"readings": "ReadingsTable", "users": "UsersTable", "intake": "IntakeTable"}
CHECKOUT = Path(__file__).parents[2]
EVENTS = CHECKOUT / "events"
FUNCTIONS = sorted(app.parent.name for app in (CHECKOUT / "functions").glob("*/app.py"))


class LambdaContext:
    """The context object that Lambda passes to a handler."""

    aws_request_id = "8f5b2f3e-31d6-4b6e-9d0a-6d1c5f1f7f10"
    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"

    def get_remaining_time_in_millis(self) -> int:
        """Return a time that is long enough for every test."""
        return 110_000


@dataclass(frozen=True, slots=True)
class FunctionsWorld:
    """One test's own AWS, with the functions on it."""

    aws: AwsInProcess
    watch: RoleWatch

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call the entry point of a function; a call to AWS that its role does not allow fails the test."""
        self.watch.function = function_of(function)
        try:
            return self._invoke(function, event)
        finally:
            self.watch.function = None
            assert not self.watch.refused

    def _invoke(self, function: str, event: dict[str, Any]) -> Any:
        return importlib.import_module(f"functions.{function}.app").lambda_handler(event, LambdaContext())

    def restarted(self, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
        """Simulate a new process with other environment variables on the same AWS."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        _restart()
        with suppress(SettingsInvalid):  # The function that is called next says so.
            process().clock = WaitlessClock()

    def event(self, name: str, **changes: Any) -> dict[str, Any]:
        """Return a payload of events/ with some members changed."""
        document: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        if "queryStringParameters" in changes:
            changes = {"rawQueryString": urlencode(changes["queryStringParameters"])} | changes
        return document | changes

    def webhook(self, name: str, body: Any = None, secret: str = WEBHOOK_SECRET) -> dict[str, Any]:
        """Return a webhook of events/, or one with another body, with a signature that is valid now."""
        event = self.event(f"webhook_{name}")
        if body is not None:
            event |= {"body": body if isinstance(body, str) else json.dumps(body), "isBase64Encoded": False}
            raw = event["body"].encode()
        else:
            raw = body_in(str(EVENTS / f"webhook_{name}.json"))
        webhook_id = event["headers"].get("webhook-id", "msg_1")
        event["headers"] |= signed_headers(secret, webhook_id, raw, SystemClock().now())
        return event


@pytest.fixture(scope="session")
def refusing_port() -> Iterator[int]:
    """A port that is taken and on which no server listens."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, refusing_port: int) -> Iterator[FunctionsWorld]:
    """Tables, queues and key as in the template; the user `demo` is connected and has an hour of readings."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    with mock_aws(), aws_in_process(*TABLES) as aws:
        environment = {
            "DYNAMODB_TABLE": "readings",
            "USERS_TABLE": "users",
            "INTAKE_TABLE": "intake",
            "JOBS_QUEUE_URL": queue_url("jobs", REGION),
            "POLLS_QUEUE_URL": queue_url("polls", REGION),
            "BULK_QUEUE_URL": queue_url("bulk", REGION),
            "SHARDS_QUEUE_URL": queue_url("shards", REGION),
            "EXPORTS_QUEUE_URL": queue_url("exports", REGION),
            "ERASURES_QUEUE_URL": queue_url("erasures", REGION),
            "DEAD_PUBLISHES_QUEUE_URL": queue_url("dead-publishes", REGION),
            "EVENT_BUS_NAME": event_bus("events", REGION),
            "EXPORTS_BUCKET": bucket("exports", REGION),
            "AUDIT_ARCHIVE_BUCKET": bucket("archive", REGION),
            "WEBHOOK_SECRETS": f"{WEBHOOK_SECRET},{OLD_WEBHOOK_SECRET}",
            "SERVICE_CLIENT_IDS": "a-service,another-service,reporting,other-user",
            "TOKENS_KEY_ID": same_key(),
            # No server listens on this port, so the provider is down.
            "DEXCOM_API_BASE_URL": f"http://{HOST}:{refusing_port}",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        _restart()
        process().clock = WaitlessClock()
        _connect("demo")
        watch = RoleWatch(TABLES)
        aws.watchers.append(watch.on_call)
        yield FunctionsWorld(aws, watch)
    _restart()


def part(make: Callable[[Process], Part]) -> Part:
    """Return a part of the running process."""
    return process().part(make)


def _restart() -> None:
    """Forget the process."""
    process.cache_clear()
    logger.reset()
    meter.drain()


def _connect(user_id: str) -> None:
    now = SystemClock().now().replace(microsecond=0)
    endpoint = Endpoint("dexcom", "custom")
    tokens = Tokens("access", "refresh", now + timedelta(hours=2))
    store_tokens(part(provider_parts.vault), user_id, endpoint, tokens, data_from=now - timedelta(days=30))
    part(queue_parts.states).start_polling(user_id, 900, now - timedelta(days=30))
    readings = [
        Reading(now - timedelta(minutes=5 * age), 100 + age, trend="flat", device=Device("g7", "iOS", "G7"))
        for age in range(12)
    ]
    part(store_parts.reading_store).save(user_id, readings, now)
