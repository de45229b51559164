"""Rejected webhooks: authentication, invalid bodies and limits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bg_ingest.clock import SystemClock
from bg_ingest.sync.orders.queue import BODY_BYTES_MAX
from bg_ingest.wiring.webhook_parts import webhook_deps
from local.webhook_sender import signed_headers
from tests.functions.conftest import part
from tests.functions.webhook_sending import about, kind_of, queued, sent
from tests.support.leaks import WEBHOOK_SECRET

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

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
def test_every_authentication_fault_gets_the_same_401(
    world: FunctionsWorld,
    headers: dict[str, str],
    body: str | None,
    is_base64: bool,  # noqa: FBT001 - Hypothesis's.
) -> None:
    """The response does not depend on the fault or the user, and nothing is stored."""
    good = world.webhook("records")
    for event in (
        good | {"headers": headers, "body": body, "isBase64Encoded": is_base64},
        good | {"headers": good["headers"] | headers | {"webhook-timestamp": "1"}},
        about(good | {"headers": headers}, "nobody"),
    ):
        answer = sent(world, event)
        assert (answer["statusCode"], kind_of(answer)) == (401, "signature-invalid")
        assert set(json.loads(answer["body"])) == {"type", "title", "status", "detail", "instance"}
    assert queued() == []
    assert part(webhook_deps).inbox.find("demo", good["headers"]["webhook-id"]) is None


@pytest.mark.parametrize("webhook_id", ["", " ", ".msg", "msg 1", "m\u00e9", "a" * 257, "x\ny", "#"])
def test_an_invalid_webhook_id_is_401(world: FunctionsWorld, webhook_id: str) -> None:
    """The signature of an invalid id is not accepted."""
    event = world.webhook("records")
    now = SystemClock().now()
    event["headers"] |= signed_headers(WEBHOOK_SECRET, webhook_id, event["body"].encode(), now)

    assert sent(world, event)["statusCode"] == 401


def test_a_webhook_without_headers_is_401(world: FunctionsWorld) -> None:
    """A test event of the AWS console has none."""
    assert sent(world, world.webhook("records") | {"headers": None})["statusCode"] == 401


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "7", '{"type": "egvs.created"}', "\ud800"])
def test_an_unsigned_body_is_not_parsed(world: FunctionsWorld, body: str) -> None:
    """An unauthenticated sender does not learn what is wrong with the body."""
    event = world.webhook("records") | {"body": body}

    assert sent(world, event)["statusCode"] == 401


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
def test_an_invalid_webhook_body_is_422(world: FunctionsWorld, body: Any, field: str | None) -> None:
    """The response has the field and the reason, and the same id works with a valid body."""
    answer = sent(world, world.webhook("records", body))

    assert (answer["statusCode"], kind_of(answer)) == (422, "invalid-request")
    errors = json.loads(answer["body"]).get("errors", [])
    assert field is None or field in {error["field"] for error in errors}
    assert queued() == []
    assert sent(world, world.webhook("records", AVAILABLE))["statusCode"] == 202


def test_an_unknown_webhook_type_names_the_known_types(world: FunctionsWorld) -> None:
    """The response does not list the fields of one of them."""
    answer = sent(world, world.webhook("records", {"type": "egvs.deleted"}))

    reason = "must be one of egvs.available, egvs.created"
    assert json.loads(answer["body"])["errors"] == [{"field": "type", "reason": reason}]


@fuzzed
@given(body=any_json | any_json.map(lambda data: {"type": "egvs.created", "data": {"records": [data]}}))
def test_no_signed_body_causes_an_internal_error(world: FunctionsWorld, body: Any) -> None:
    """Each body is accepted, a duplicate, or 422."""
    assert sent(world, world.webhook("records", json.dumps(body)))["statusCode"] in {200, 202, 422}


def test_a_webhook_range_over_92_days_is_422(world: FunctionsWorld) -> None:
    """The limit is that of every range."""
    long = {
        "type": "egvs.available",
        "data": {"start": "2026-01-01T00:00:00Z", "end": "2026-06-01T00:00:00Z"},
    }
    answer = sent(world, world.webhook("records", long))

    assert (answer["statusCode"], kind_of(answer)) == (422, "range-too-long")


@pytest.mark.parametrize("bytes_more", [0, 1])
def test_a_body_over_the_limit_is_413(world: FunctionsWorld, bytes_more: int) -> None:
    """The limit is the same for signed and unsigned bodies; the longest body fits into the queue."""
    frame = len(json.dumps(AVAILABLE | {"more": ""}))
    text = "x" * (BODY_BYTES_MAX - frame + bytes_more)
    answer = sent(world, world.webhook("records", AVAILABLE | {"more": text}))

    assert answer["statusCode"] == (413 if bytes_more else 202)
    unsigned = sent(world, world.event("webhook_unsigned", body="x" * (BODY_BYTES_MAX + 1)))
    assert (unsigned["statusCode"], kind_of(unsigned)) == (413, "body-too-large")


def test_a_signed_webhook_for_an_unknown_user_is_404(world: FunctionsWorld) -> None:
    """A user who does not exist and one who disconnected get the same response."""
    stranger = sent(world, about(world.webhook("records"), "nobody"))
    world.invoke("connect", world.event("connect_remove"))
    gone = sent(world, world.webhook("records"))

    assert [(answer["statusCode"], kind_of(answer)) for answer in (stranger, gone)] == [
        (404, "user-unknown")
    ] * 2
    assert queued() == []


def test_too_many_webhooks_for_a_user_are_429(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unauthenticated webhooks and duplicates do not count."""
    world.restarted(monkeypatch, WEBHOOKS_PER_MINUTE_MAX="1")
    for _ in range(3):
        assert sent(world, world.event("webhook_records"))["statusCode"] == 401
    first, again = (sent(world, world.webhook("records")) for _ in range(2))
    other = sent(world, world.webhook("available"))

    assert [answer["statusCode"] for answer in (first, again, other)] == [202, 200, 429]
    assert first["headers"]["RateLimit"].startswith('"webhook";r=0;t=')
    assert "RateLimit" not in again["headers"]
    assert other["headers"]["RateLimit-Policy"] == '"webhook";q=1;w=60'
    assert 1 <= int(other["headers"]["Retry-After"]) <= 60
    assert len(queued()) == 1


def test_without_a_secret_every_webhook_is_401(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing secret is not the same as an empty one."""
    world.restarted(monkeypatch, WEBHOOK_SECRETS="")

    assert sent(world, world.webhook("records"))["statusCode"] == 401
