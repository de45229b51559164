"""Webhooks that are refused, and that none of them is our fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bg_ingest.clock import SystemClock
from bg_ingest.sync.pushed_records import BODY_BYTES_MAX
from bg_ingest.wiring import stores
from local.webhook_sender import signed_headers
from tests.functions.webhook_sending import about, kind_of, queued, sent
from tests.support.leaks import WEBHOOK_SECRET

if TYPE_CHECKING:
    from tests.functions.conftest import World

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
        about(good | {"headers": headers}, "nobody"),
    ):
        answer = sent(world, event)
        assert (answer["statusCode"], kind_of(answer)) == (401, "signature-invalid")
        assert set(json.loads(answer["body"])) == {"type", "title", "status", "detail", "instance"}
    assert queued() == []
    assert stores.inbox().find("demo", good["headers"]["webhook-id"]) is None


@pytest.mark.parametrize("webhook_id", ["", " ", ".msg", "msg 1", "m\u00e9", "a" * 257, "x\ny", "#"])
def test_an_id_that_is_none_is_no_proof(world: World, webhook_id: str) -> None:
    """However well it is signed."""
    event = world.webhook("records")
    now = SystemClock().now()
    event["headers"] |= signed_headers(WEBHOOK_SECRET, webhook_id, event["body"].encode(), now)

    assert sent(world, event)["statusCode"] == 401


def test_no_headers_at_all_are_no_proof(world: World) -> None:
    """As a test event of the console has them."""
    assert sent(world, world.webhook("records") | {"headers": None})["statusCode"] == 401


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "7", '{"type": "egvs.created"}', "\ud800"])
def test_an_unsigned_body_is_not_even_read(world: World, body: str) -> None:
    """What would be wrong with it is told to nobody who has not proved themselves."""
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
def test_a_body_that_asks_for_nothing_is_refused_by_its_fault(
    world: World, body: Any, field: str | None
) -> None:
    """422 with where and why, never what; and the id stays free for a better one."""
    answer = sent(world, world.webhook("records", body))

    assert (answer["statusCode"], kind_of(answer)) == (422, "invalid-request")
    errors = json.loads(answer["body"]).get("errors", [])
    assert field is None or field in {error["field"] for error in errors}
    assert queued() == []
    assert sent(world, world.webhook("records", AVAILABLE))["statusCode"] == 202


def test_a_body_of_no_known_type_is_told_every_type(world: World) -> None:
    """And nothing about the members that one of them would have."""
    answer = sent(world, world.webhook("records", {"type": "egvs.deleted"}))

    reason = "must be one of egvs.available, egvs.created"
    assert json.loads(answer["body"])["errors"] == [{"field": "type", "reason": reason}]


@fuzzed
@given(body=any_json | any_json.map(lambda data: {"type": "egvs.created", "data": {"records": [data]}}))
def test_no_signed_body_is_our_fault(world: World, body: Any) -> None:
    """Taken, taken before, or refused."""
    assert sent(world, world.webhook("records", json.dumps(body)))["statusCode"] in {200, 202, 422}


def test_a_range_that_is_too_long_is_refused(world: World) -> None:
    """Ninety-two days, as everywhere."""
    long = {
        "type": "egvs.available",
        "data": {"start": "2026-01-01T00:00:00Z", "end": "2026-06-01T00:00:00Z"},
    }
    answer = sent(world, world.webhook("records", long))

    assert (answer["statusCode"], kind_of(answer)) == (422, "range-too-long")


@pytest.mark.parametrize("bytes_more", [0, 1])
def test_a_body_has_a_longest_length(world: World, bytes_more: int) -> None:
    """To the byte, signed or not; the longest gets through the queue whole."""
    frame = len(json.dumps(AVAILABLE | {"more": ""}))
    text = "x" * (BODY_BYTES_MAX - frame + bytes_more)
    answer = sent(world, world.webhook("records", AVAILABLE | {"more": text}))

    assert answer["statusCode"] == (413 if bytes_more else 202)
    unsigned = sent(world, world.event("webhook_unsigned", body="x" * (BODY_BYTES_MAX + 1)))
    assert (unsigned["statusCode"], kind_of(unsigned)) == (413, "body-too-large")


def test_a_proven_sender_is_told_that_a_user_is_unknown(world: World) -> None:
    """Somebody nobody knows, and somebody who ended their connection, alike."""
    stranger = sent(world, about(world.webhook("records"), "nobody"))
    world.invoke("connect", world.event("connect_remove"))
    gone = sent(world, world.webhook("records"))

    assert [(answer["statusCode"], kind_of(answer)) for answer in (stranger, gone)] == [
        (404, "user-unknown")
    ] * 2
    assert queued() == []


def test_too_many_for_one_user_are_429_with_when_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood without a proof uses up nothing, and repetitions do not count."""
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


def test_without_a_secret_nobody_gets_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is not an empty secret."""
    world.restarted(monkeypatch, WEBHOOK_SECRETS="")

    assert sent(world, world.webhook("records"))["statusCode"] == 401
