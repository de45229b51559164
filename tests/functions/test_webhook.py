"""What senders of webhooks are told, and what becomes readable."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from bg_ingest.clock import SystemClock
from bg_ingest.webhooks.brought import BODY_BYTES_MAX
from bg_ingest.wiring import clients, stores
from local.webhook_sender import one_reading, signed_headers
from tests.functions import described
from tests.leaks import OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.conftest import World

METHOD, PATH = "POST", "/api/bg/{userId}/webhook"
AVAILABLE = {
    "type": "egvs.available",
    "data": {"start": "2026-04-26T12:00:00Z", "end": "2026-04-26T13:00:00Z"},
}
fuzzed = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def _sent(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """The answer, which is one of those that are described."""
    answer: dict[str, Any] = world.invoke("webhook", event)
    described.check(METHOD, PATH, answer)
    return answer


def _kind(answer: dict[str, Any]) -> str:
    return str(json.loads(answer["body"])["type"]).rpartition("/")[2]


def _queued() -> list[dict[str, Any]]:
    answer = clients.sqs().receive_message(QueueUrl=stores.queue().url, MaxNumberOfMessages=10)
    return answer.get("Messages", [])  # type: ignore[return-value]  # As it comes.


def _worked(world: World) -> None:
    """The worker takes what is in the queue."""
    event = world.event("worker_poll")
    like = event["Records"][0]
    event["Records"] = [
        like
        | {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
        }
        for message in _queued()
    ]
    assert world.invoke("worker", event) == {"batchItemFailures": []}


def _for(event: dict[str, Any], user_id: str) -> dict[str, Any]:
    return (
        event
        | {"pathParameters": {"userId": user_id}, "rawPath": f"/api/bg/{user_id}/webhook"}
        | {
            "requestContext": event["requestContext"]
            | {"http": event["requestContext"]["http"] | {"path": f"/api/bg/{user_id}/webhook"}}
        }
    )


@pytest.mark.parametrize("name", ["records", "records_base64"])
def test_what_is_sent_is_readable_once_a_worker_has_taken_it(
    world: World, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also as the gateway hands over what is not labelled as text; logged is neither a value nor a person."""
    answer = _sent(world, world.webhook(name))
    assert answer["statusCode"] == 202
    assert json.loads(answer["body"]) == {
        "status": "accepted",
        "correlation_id": answer["headers"]["X-Correlation-ID"],
    }
    _worked(world)

    asked = {"from": "2026-04-26T14:00:00Z", "to": "2026-04-26T15:00:00Z"}
    shown = world.invoke("query", world.event("query_range", queryStringParameters=asked))
    assert [
        (reading["timestamp"], reading["glucose_mg_dl"], reading["local_offset_minutes"])
        for reading in json.loads(shown["body"])
    ] == [("2026-04-26T14:20:00Z", 108, -420), ("2026-04-26T14:25:00Z", 110, -420)]
    (job,) = stores.jobs().newest_first("demo")
    assert (job.order.trigger, job.counts.stored) == ("webhook", 2)
    printed = capsys.readouterr().out
    assert '"webhook_processing_s"' in printed
    assert '"outcome":"accepted","webhooks":1' in printed


def test_a_new_reading_is_the_latest(world: World) -> None:
    """Through the same door as every other."""
    _sent(world, world.webhook("records", one_reading(SystemClock().now() + timedelta(minutes=1), 222)))
    _worked(world)

    latest = world.invoke("query", world.event("query_latest"))
    assert json.loads(latest["body"])["glucose_mg_dl"] == 222


def test_one_record_that_cannot_be_read_costs_no_other(world: World) -> None:
    """The job counts it."""
    _sent(world, world.webhook("records_one_unreadable"))
    _worked(world)
    shown = world.invoke("sync", world.event("sync_jobs"))

    (job,) = json.loads(shown["body"])
    assert job["counts"] == {"fetched": 3, "stored": 2, "revised": 0, "duplicates": 0, "invalid": 1}
    assert job["invalid"] == [{"reason": "value-missing", "count": 1}]


def test_a_range_is_ordered_to_its_last_reading(world: World) -> None:
    """Both ends are included."""
    assert _sent(world, world.webhook("available"))["statusCode"] == 202
    (message,) = _queued()
    order = json.loads(message["Body"])

    assert order["window"] == ["2026-11-20T00:00:00+00:00", "2026-11-20T23:55:01+00:00"]
    assert order["brought"] is None
    assert order["correlation_id"] == world.event("webhook_available")["headers"]["x-correlation-id"]


def test_the_same_again_is_a_duplicate(world: World) -> None:
    """With another time and another signature, as a sender tries again."""
    _sent(world, world.webhook("records"))
    again = _sent(world, world.webhook("records"))

    assert (again["statusCode"], json.loads(again["body"])) == (200, {"status": "duplicate"})
    assert len(_queued()) == 1


def test_both_secrets_are_good_while_one_replaces_the_other(world: World) -> None:
    """The one before, too."""
    assert _sent(world, world.webhook("records", secret=OLD_WEBHOOK_SECRET))["statusCode"] == 202


def test_outside_development_the_secret_is_in_secrets_manager(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a list, beside what Dexcom gave us."""
    held = {"client_id": "i", "client_secret": "hunter2", "webhook_secrets": [WEBHOOK_SECRET]}
    clients.secrets().create_secret(Name="bg-ingest", SecretString=json.dumps(held))
    world.restarted(monkeypatch, SECRET_NAME="bg-ingest", WEBHOOK_SECRETS="")

    assert _sent(world, world.webhook("records"))["statusCode"] == 202
    assert _sent(world, world.webhook("records", secret=OLD_WEBHOOK_SECRET))["statusCode"] == 401


def test_without_a_secret_nobody_gets_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is not an empty secret."""
    world.restarted(monkeypatch, WEBHOOK_SECRETS="")

    assert _sent(world, world.webhook("records"))["statusCode"] == 401


@fuzzed
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "authorization", "content-type"]
        ),
        header_text
        | st.sampled_from(["", "Bearer ", "v1,", "v1", "1777206600", "msg_1", ",", "Bearer a.b.c"]),
    ),
    body=st.none() | st.text(max_size=50),
    is_base64=st.booleans(),
)
def test_whatever_is_wrong_with_a_proof_the_answer_is_the_same(
    world: World,
    headers: dict[str, str],
    body: str | None,
    is_base64: bool,  # noqa: FBT001 - Hypothesis's.
) -> None:
    """401, never a fault of ours, whoever it is about; and nothing is stored."""
    good = world.webhook("records")
    for event in (
        good | {"headers": headers, "body": body, "isBase64Encoded": is_base64},
        good | {"headers": good["headers"] | headers | {"webhook-timestamp": "1"}},
        _for(good | {"headers": headers}, "nobody"),
    ):
        answer = _sent(world, event)
        assert (answer["statusCode"], _kind(answer)) == (401, "signature-invalid")
        assert set(json.loads(answer["body"])) == {"type", "title", "status", "instance"}
    assert _queued() == []
    assert stores.inbox().find("demo", good["headers"]["webhook-id"]) is None


@pytest.mark.parametrize("webhook_id", ["", " ", ".msg", "msg 1", "m\u00e9", "a" * 257, "x\ny", "#"])
def test_an_id_that_is_none_is_no_proof(world: World, webhook_id: str) -> None:
    """However well it is signed."""
    event = world.webhook("records")
    now = SystemClock().now()
    event["headers"] |= signed_headers(WEBHOOK_SECRET, webhook_id, event["body"].encode(), now)

    assert _sent(world, event)["statusCode"] == 401


def test_no_headers_at_all_are_no_proof(world: World) -> None:
    """As a test event of the console has them."""
    assert _sent(world, world.webhook("records") | {"headers": None})["statusCode"] == 401


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "7", '{"type": "egvs.created"}', "\ud800"])
def test_an_unsigned_body_is_not_even_read(world: World, body: str) -> None:
    """What would be wrong with it is told to nobody who has not proved themselves."""
    event = world.webhook("records") | {"body": body}

    assert _sent(world, event)["statusCode"] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", None),
        ("{", None),
        ("[" * 50_000, None),
        ("null", "body"),
        ("[]", "body"),
        ("{}", "type"),
        ({"type": "egvs.deleted", "data": {}}, "type"),
        ({"type": ["egvs.created"], "data": {}}, "type"),
        ({"type": "egvs.created"}, "data"),
        ({"type": "egvs.created", "data": {"records": {}}}, "data.records"),
        ({"type": "egvs.created", "data": {"records": None}}, "data.records"),
        ({"type": "egvs.created", "data": {"records": [], "userId": 7}}, "data.userId"),
        ({"type": "egvs.available", "data": {"start": "2026-04-26T12:00:00Z"}}, "data.end"),
        ({"type": "egvs.available", "data": {"start": "2026-04-26T12:00:00", "end": "x"}}, "data.start"),
        (
            {"type": "egvs.available", "data": {"start": "9999-12-31T23:59:59-12:00", "end": "x"}},
            "data.start",
        ),
        (
            AVAILABLE | {"data": {"start": "2026-04-26T12:00:00Z", "end": "2026-04-26T11:00:00Z"}},
            "data.start",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_body_that_asks_for_nothing_is_refused_by_its_fault(
    world: World, body: Any, field: str | None
) -> None:
    """422 with where and why, never what; and the id stays free for a better one."""
    answer = _sent(world, world.webhook("records", body))

    assert (answer["statusCode"], _kind(answer)) == (422, "invalid-request")
    errors = json.loads(answer["body"]).get("errors", [])
    assert field is None or field in {error["field"] for error in errors}
    assert _queued() == []
    assert _sent(world, world.webhook("records", AVAILABLE))["statusCode"] == 202


@fuzzed
@given(body=any_json | any_json.map(lambda data: {"type": "egvs.created", "data": {"records": [data]}}))
def test_no_signed_body_is_our_fault(world: World, body: Any) -> None:
    """Taken, taken before, or refused."""
    assert _sent(world, world.webhook("records", json.dumps(body)))["statusCode"] in {200, 202, 422}


def test_a_range_that_is_too_long_is_refused(world: World) -> None:
    """Ninety-two days, as everywhere."""
    long = {
        "type": "egvs.available",
        "data": {"start": "2026-01-01T00:00:00Z", "end": "2026-06-01T00:00:00Z"},
    }
    answer = _sent(world, world.webhook("records", long))

    assert (answer["statusCode"], _kind(answer)) == (422, "range-too-long")


@pytest.mark.parametrize("bytes_more", [0, 1])
def test_a_body_has_a_longest_length(world: World, bytes_more: int) -> None:
    """To the byte, signed or not; the longest gets through the queue whole."""
    frame = len(json.dumps(AVAILABLE | {"more": ""}))
    text = "x" * (BODY_BYTES_MAX - frame + bytes_more)
    answer = _sent(world, world.webhook("records", AVAILABLE | {"more": text}))

    assert answer["statusCode"] == (413 if bytes_more else 202)
    unsigned = _sent(world, world.event("webhook_unsigned", body="x" * (BODY_BYTES_MAX + 1)))
    assert (unsigned["statusCode"], _kind(unsigned)) == (413, "body-too-large")


def test_a_proven_sender_is_told_that_a_user_is_unknown(world: World) -> None:
    """Somebody nobody knows, and somebody who ended their connection, alike."""
    stranger = _sent(world, _for(world.webhook("records"), "nobody"))
    world.invoke("connect", world.event("connect_remove"))
    gone = _sent(world, world.webhook("records"))

    assert [(answer["statusCode"], _kind(answer)) for answer in (stranger, gone)] == [
        (404, "user-unknown")
    ] * 2
    assert _queued() == []


def test_too_many_for_one_user_are_429_with_when_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood without a proof uses up nothing, and repetitions do not count."""
    world.restarted(monkeypatch, WEBHOOKS_PER_MINUTE_MAX="1")
    for _ in range(3):
        assert _sent(world, world.event("webhook_records"))["statusCode"] == 401
    first, again = (_sent(world, world.webhook("records")) for _ in range(2))
    other = _sent(world, world.webhook("available"))

    assert [answer["statusCode"] for answer in (first, again, other)] == [202, 200, 429]
    assert first["headers"]["RateLimit"].startswith('"webhook";r=0;t=')
    assert "RateLimit" not in again["headers"]
    assert other["headers"]["RateLimit-Policy"] == '"webhook";q=1;w=60'
    assert 1 <= int(other["headers"]["Retry-After"]) <= 60
    assert len(_queued()) == 1


def test_the_person_sees_who_sent(world: World) -> None:
    """In their audit."""
    _sent(world, world.webhook("records"))
    audit = world.invoke("query", world.event("query_audit"))

    (entry,) = json.loads(audit["body"])
    assert (entry["actor"], entry["outcome"]) == ("sender-of-the-webhook", "done")


KEY = ec.generate_private_key(ec.SECP256R1())


@contextmanager
def _published() -> Iterator[str]:
    """A sender's key set on this machine."""
    document = json.dumps({"keys": [ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "1"}]})

    class KeysPage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), KeysPage)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/keys"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _with_token(world: World, **claims: Any) -> dict[str, Any]:
    event = world.event("webhook_token")
    said = {
        "aud": "bg-ingest",
        "exp": int(SystemClock().now().timestamp()) + 300,
        "body_sha256": hashlib.sha256(event["body"].encode()).hexdigest(),
    }
    token = jwt.encode(said | claims, KEY, "ES256", headers={"kid": "1"})
    event["headers"] |= {"authorization": f"Bearer {token}"}
    return event


def test_a_token_is_the_other_proof(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one's own audience and body; a signature that is there and is not good is not made up for by it."""
    with _published() as url:
        world.restarted(monkeypatch, WEBHOOK_JWKS_URL=url, WEBHOOK_AUDIENCE="bg-ingest")
        assert _sent(world, _with_token(world, aud="somebody-else"))["statusCode"] == 401
        both = _with_token(world)
        both["headers"] |= {"webhook-signature": "v1,"}
        assert _sent(world, both)["statusCode"] == 401
        without_id = _with_token(world)
        del without_id["headers"]["webhook-id"]
        assert _sent(world, without_id)["statusCode"] == 401
        basic = _with_token(world)
        basic["headers"]["authorization"] = basic["headers"]["authorization"].replace("Bearer", "Basic")
        assert _sent(world, basic)["statusCode"] == 401

        assert _sent(world, _with_token(world))["statusCode"] == 202
        assert _sent(world, _with_token(world))["statusCode"] == 200


def test_keys_that_cannot_be_fetched_are_told_about(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To whoever operates it; the sender gets the same 401."""
    with _published() as url:
        pass  # Nobody listens there any more.
    world.restarted(monkeypatch, WEBHOOK_JWKS_URL=url, WEBHOOK_AUDIENCE="bg-ingest")

    assert _sent(world, _with_token(world))["statusCode"] == 401
    assert '"message":"webhook keys unavailable"' in capsys.readouterr().out
