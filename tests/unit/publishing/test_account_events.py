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
    "connection_state": "connected",
    "connected_at": "2026-04-26T11:00:00+00:00",
    "data_from": "2026-01-26T11:00:00+00:00",
    "generation": 7,
    "account": "hash-of-the-account",
    "sealed_tokens": b"in-the-clear",
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


def test_a_login_has_an_event() -> None:
    """It has the new state, the previous state, and the source of the data."""
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
def test_the_end_of_a_connection_has_an_event(state: str) -> None:
    """A consumer can show why no new data arrives."""
    (event,) = connection_events(CONNECTION, CONNECTION | {"connection_state": state}, NOON)

    assert (event.data["state"], event.data["previous_state"]) == (state, "connected")


def test_a_second_login_has_another_id() -> None:
    """The state stays the same, but the history is fetched again."""
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
        {"account": "known now"},
    ],
)
def test_a_token_refresh_has_no_event(change: dict[str, Any]) -> None:
    """Tokens are refreshed every two hours."""
    assert connection_events(CONNECTION, CONNECTION | change, NOON) == []


def test_an_erasure_publishes_the_state_erased() -> None:
    """Consumers can erase their copies. The event has no correlation id."""
    (event,) = connection_events(CONNECTION, None, NOON)

    assert (event.event_type, event.subject) == ("bg.connection.changed", "connection")
    assert event.data == {"user_id": "ada", "state": "erased", "previous_state": "connected"}
    assert event.correlation_id is None


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5), st.booleans())
def test_only_listed_attributes_of_a_connection_are_published(more: dict[str, str], connected: bool) -> None:  # noqa: FBT001 - hypothesis'.
    """Sealed tokens and attributes that are added later stay inside."""
    before = None if connected else CONNECTION | {"connection_state": "needs_reauth"}
    (event,) = connection_events(before, {**more, **CONNECTION}, NOON)

    assert event.data.keys() == {
        "user_id", "state", "previous_state", "provider", "environment", "connected_at", "data_from",
    }  # fmt: skip


def test_a_failed_sync_has_one_event() -> None:
    """It has the reason, and whether a retry can help."""
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
def test_a_sync_that_has_not_failed_has_no_event(status: str) -> None:
    """A deferred job may still succeed."""
    assert job_events(None, JOB | {"job_status": status}, NOON) == []


def test_an_expired_job_has_no_event() -> None:
    """Jobs are removed after thirty days."""
    assert job_events(JOB, None, NOON) == []
