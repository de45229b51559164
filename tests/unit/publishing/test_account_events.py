from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.publishing.account_events import connection_events, job_events
from tests.support.fakes import NOON

CONNECTION: dict[str, Any] = {
    "pk": "ada",
    "sk": "connection",
    "provider": "dexcom",
    "environment": "us",
    "base_url": "https://api.dexcom.com",
    "connection_state": "connected",
    "connected_at": "2026-04-26T11:00:00+00:00",
    "data_from": "2026-01-26T11:00:00+00:00",
    "generation": 7,
    "account": "hash-of-the-account",
    "sealed_tokens": b"in-the-clear",
    "refresh_until": 5,
    "refresh_holder": "holder",
    "caused_by": "ticket-4711",
}
JOB: dict[str, Any] = {
    "pk": "ada",
    "sk": "job#0196700000000123456789abcdef",
    "kind": "incremental",
    "trigger": "schedule",
    "correlation_id": "ticket-4712",
    "job_status": "failed",
    "started_at": "2026-04-26T12:00:00+00:00",
    "finished_at": "2026-04-26T12:00:01+00:00",
    "counts": [0, 0, 0, 0],
    "failure": {"type": "Unavailable", "retryable": True, "attempts": 3},
}


def test_a_login_is_told() -> None:
    """The new state, the old one, and where the data comes from."""
    (event,) = connection_events(None, CONNECTION, NOON)

    assert (event.event_type, event.subject) == ("bg.connection.changed", "connection")
    assert (event.time, event.correlation_id) == (NOON, "ticket-4711")
    assert event.data == {
        "user_id": "ada",
        "state": "connected",
        "previous_state": None,
        "provider": "dexcom",
        "environment": "us",
        "connected_at": "2026-04-26T11:00:00+00:00",
        "data_from": "2026-01-26T11:00:00+00:00",
    }


@pytest.mark.parametrize("state", ["needs_reauth", "disconnected"])
def test_an_end_is_told_with_what_was_before(state: str) -> None:
    """Whoever shows the person's data can say why no more comes."""
    (event,) = connection_events(CONNECTION, CONNECTION | {"connection_state": state}, NOON)

    assert (event.data["state"], event.data["previous_state"]) == (state, "connected")


def test_logging_in_anew_is_told_and_has_an_id_of_its_own() -> None:
    """Connected before and after, but the history is fetched again."""
    again = CONNECTION | {"connected_at": "2026-04-26T12:00:00+00:00", "generation": 8}
    (first,), (second,) = (
        connection_events(None, CONNECTION, NOON),
        connection_events(CONNECTION, again, NOON),
    )

    assert first.event_id != second.event_id


@pytest.mark.parametrize(
    "change",
    [
        {"sealed_tokens": b"new", "generation": 8, "caused_by": "another"},
        {"refresh_until": 9},
        {"account": "known now"},
    ],
)
def test_refreshing_tokens_is_no_news(change: dict[str, Any]) -> None:
    """It happens every two hours."""
    assert connection_events(CONNECTION, CONNECTION | change, NOON) == []


def test_an_erasure_is_told_by_the_end_of_the_connection() -> None:
    """Consumers that keep copies know what to do; who asked for it is not told."""
    (event,) = connection_events(CONNECTION, None, NOON)

    assert (event.event_type, event.subject) == ("bg.connection.changed", "connection")
    assert event.data == {"user_id": "ada", "state": "erased", "previous_state": "connected"}
    assert event.correlation_id is None


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5), st.booleans())
def test_nothing_of_a_connection_gets_out_unless_it_is_named(more: dict[str, str], connected: bool) -> None:  # noqa: FBT001 - hypothesis'.
    """Least of all tokens, sealed or not, and whatever is added to the item one day."""
    before = None if connected else CONNECTION | {"connection_state": "needs_reauth"}
    (event,) = connection_events(before, {**more, **CONNECTION}, NOON)

    assert event.data.keys() == {
        "user_id", "state", "previous_state", "provider", "environment", "connected_at", "data_from",
    }  # fmt: skip


def test_a_failed_sync_is_told_once() -> None:
    """Why, and whether trying again can help."""
    (event,) = job_events(None, JOB, NOON)

    assert (event.event_type, event.subject) == ("bg.sync.failed", "jobs/0196700000000123456789abcdef")
    assert event.correlation_id == "ticket-4712"
    assert event.data == {
        "user_id": "ada",
        "job_id": "0196700000000123456789abcdef",
        "kind": "incremental",
        "trigger": "schedule",
        "started_at": "2026-04-26T12:00:00+00:00",
        "finished_at": "2026-04-26T12:00:01+00:00",
        "error": {"type": "Unavailable", "retryable": True, "attempts": 3},
    }
    assert job_events(JOB, JOB | {"expires_at": 1}, NOON) == []


@pytest.mark.parametrize("status", ["queued", "running", "succeeded", "deferred"])
def test_a_sync_that_has_not_failed_is_no_news(status: str) -> None:
    """What is put off may succeed yet."""
    assert job_events(None, JOB | {"job_status": status}, NOON) == []


def test_a_job_that_is_forgotten_is_no_news() -> None:
    """After thirty days."""
    assert job_events(JOB, None, NOON) == []
