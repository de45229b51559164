"""
The service with its real wiring, over an AWS in memory and a simulated Dexcom in a process of its own.

Only the handlers of `functions/` are called, with payloads of `events/`. Settings come from the environment.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from moto import mock_aws
from standardwebhooks import Webhook

from bg_ingest.clock import new_id
from tests.support.aws_in_process import aws_in_process
from tests.support.moto_in_turn import take_calls_in_turn
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_REGION = "eu-west-1"
_PERSON = "SandboxUser7"
_WEBHOOK_SECRET = "whsec_" + "d2F5cy1vZi1yZXF1ZXN0cy10aHJvdWdoLXRoZS1jb2Rl"
_APPLICATION = {"DEXCOM_CLIENT_ID": "ways", "DEXCOM_CLIENT_SECRET": "ways-secret"}
_BATCH_MAX = 10


class _Context:
    """The context of a Lambda invocation, with time to spare."""

    aws_request_id = "8f5b2f3e-31d6-4b6e-9d0a-6d1c5f1f7f10"
    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"

    def get_remaining_time_in_millis(self) -> int:
        """The time that a fresh invocation of the worker has."""
        return 110_000


class Unexpected(Exception):
    """A request did not have the result that the trace is about."""


@dataclass
class Service:
    """A deployed service with one connected user, demo."""

    sqs: Any
    jobs_url: str
    dexcom: httpx.Client
    webhooks: int = field(default=0)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call the handler of one function."""
        return importlib.import_module(f"functions.{function}.app").lambda_handler(event, _Context())

    def request(self, function: str, name: str, status: int, **changes: Any) -> dict[str, Any]:
        """Send the request of one payload and expect this status."""
        answer: dict[str, Any] = self.invoke(function, payload(name, **changes))
        if answer["statusCode"] != status:
            raise Unexpected(f"{name}: {answer['statusCode']} instead of {status}: {answer['body']}")
        return answer

    def connect(self) -> None:
        """Log the user in at the simulated Dexcom and fetch their history."""
        started = json.loads(self.request("connect", "connect_start", 201)["body"])
        login = httpx.URL(started["authorize_url"]).copy_merge_params({"sim_user": _PERSON})
        signed_in = self.dexcom.get(login)
        if signed_in.status_code != HTTPStatus.FOUND:
            raise Unexpected(f"The login got {signed_in.status_code}: {signed_in.text}")
        query = httpx.URL(signed_in.headers["location"]).params
        program = {"headers": {"accept": "application/json"}}
        parked = self.request(
            "connect", "connect_callback", 200, queryStringParameters=dict(query), **program
        )
        code = json.dumps({"confirm": json.loads(parked["body"])["confirm"]})
        self.request("connect", "connect_confirm", 200, body=code)
        while records := self.queued():
            self.work(records)

    def enqueue(self, name: str) -> None:
        """Put the message of one payload into the jobs queue, as if it were ordered now."""
        (record,) = payload(name)["Records"]
        now = datetime.now(UTC)  # noqa: TID251 - a job's id has its time, and an outdated poll is not run.
        message = json.loads(record["body"]) | {"job_id": new_id(now)}
        self.sqs.send_message(QueueUrl=self.jobs_url, MessageBody=json.dumps(message))

    def queued(self) -> list[dict[str, Any]]:
        """The messages of the jobs queue as Lambda would hand them to the worker."""
        answer = self.sqs.receive_message(QueueUrl=self.jobs_url, MaxNumberOfMessages=_BATCH_MAX)
        like = payload("worker_poll")["Records"][0]
        return [
            like
            | {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
            }
            for message in answer.get("Messages", [])
        ]

    def work(self, records: list[dict[str, Any]]) -> None:
        """Let the worker carry out these messages, then delete them as Lambda does."""
        if self.invoke("worker", {"Records": records}) != {"batchItemFailures": []}:
            raise Unexpected("The worker kept a message.")
        for record in records:
            self.sqs.delete_message(QueueUrl=self.jobs_url, ReceiptHandle=record["receiptHandle"])

    def newest(self) -> str:
        """The instant of the newest stored reading."""
        return str(json.loads(self.request("query", "query_latest", 200)["body"])["timestamp"])

    def webhook(self) -> dict[str, Any]:
        """A signed webhook with one new reading."""
        self.webhooks += 1
        now = datetime.now(UTC)  # noqa: TID251 - the simulator and the signature use the real time.
        at = now - timedelta(hours=2, seconds=97 * self.webhooks)
        record = {
            "systemTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "displayTime": f"{at:%Y-%m-%dT%H:%M:%S}+00:00",
            "value": 123,
            "trend": "flat",
            "unit": "mg/dL",
            "displayDevice": "iOS",
            "transmitterGeneration": "g7",
        }
        body = json.dumps({"type": "egvs.created", "data": {"records": [record]}})
        event = payload("webhook_records", body=body, isBase64Encoded=False)
        webhook_id = f"msg_{self.webhooks}"
        event["headers"] |= {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(_WEBHOOK_SECRET).sign(webhook_id, now, body),
        }
        return event

    def move_dexcom(self, **by: float) -> None:
        """Move the clock of the simulated Dexcom."""
        self.dexcom.post("/_sim/clock", json=by).raise_for_status()


def payload(name: str, **changes: Any) -> dict[str, Any]:
    """One payload of `events/`, with some members replaced."""
    document: dict[str, Any] = json.loads((_ROOT / "events" / f"{name}.json").read_text())
    return document | changes


@contextmanager
def running_service() -> Iterator[Service]:
    """A service that is ready, with the history of its user stored up to an hour ago."""
    with ExitStack() as stack:
        base_url = stack.enter_context(_simulated_dexcom())
        dexcom = stack.enter_context(httpx.Client(base_url=base_url, trust_env=False, timeout=30))
        environment = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        os.environ |= environment | {"AWS_REGION": _REGION}  # noqa: TID251 - this process is the function.
        take_calls_in_turn()
        stack.enter_context(mock_aws())
        stack.enter_context(aws_in_process())
        os.environ |= _resources() | {"DEXCOM_API_BASE_URL": base_url}  # noqa: TID251 - as before.
        service = Service(_client("sqs"), os.environ["JOBS_QUEUE_URL"], dexcom)  # noqa: TID251 - as before.
        service.move_dexcom(offset_s=-3600)
        service.connect()
        yield service


def _resources() -> dict[str, str]:
    """Create what the template would, and return the settings that name it."""
    dynamodb, sqs = _client("dynamodb"), _client("sqs")
    create_table(dynamodb, "ReadingsTable", "readings")
    create_table(dynamodb, "UsersTable", "users")
    create_table(dynamodb, "IntakeTable", "intake")
    _client("events").create_event_bus(Name="events")
    queues = {
        name: sqs.create_queue(QueueName=name.lower().replace("_", "-"))["QueueUrl"]
        for name in ("JOBS_QUEUE_URL", "ERASURES_QUEUE_URL", "DEAD_PUBLISHES_QUEUE_URL")
    }
    return (
        queues
        | _APPLICATION
        | {
            "DYNAMODB_TABLE": "readings",
            "USERS_TABLE": "users",
            "INTAKE_TABLE": "intake",
            "EVENT_BUS_NAME": "events",
            "TOKENS_KEY_ID": _client("kms").create_key()["KeyMetadata"]["KeyId"],
            "WEBHOOK_SECRETS": _WEBHOOK_SECRET,
            "BACKFILL_DAYS_MAX": "1",
            "LOG_OUTPUT": f"file:{os.devnull}",
        }
    )


def _client(service: Any) -> Any:
    return boto3.client(service, region_name=_REGION)  # noqa: TID251 - the wiring is what is traced.


@contextmanager
def _simulated_dexcom() -> Iterator[str]:
    """Run the simulator on a free port and return its address."""
    with subprocess.Popen(  # noqa: S603 - the project's own simulator.
        [
            *(sys.executable, "-m", "dexcom_sim", "--port", "0", "--upload-delay-seconds", "0"),
            *("--client-id", _APPLICATION["DEXCOM_CLIENT_ID"]),
            *("--client-secret", _APPLICATION["DEXCOM_CLIENT_SECRET"]),
        ],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe.
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
