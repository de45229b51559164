"""Sessions of the page: sealed, ended, and bound to their forms."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.access.caller import Forbidden
from bg_ingest.dynamo import Table
from bg_ingest.signing_in.sealed_cookie import SealedCookie
from bg_ingest.signing_in.session import SESSION_LIFE, Sessions
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import FakeClock
from tests.support.memory_dynamo import MemoryDynamo

CLOCK = FakeClock()
SESSIONS = Sessions(fake_sealer(CLOCK), Table(MemoryDynamo.client(), "users"), CLOCK)


def _sessions() -> tuple[Sessions, FakeClock]:
    clock = FakeClock()
    return Sessions(fake_sealer(clock), Table(MemoryDynamo.client(), "users"), clock), clock


def test_a_session_is_that_of_its_person() -> None:
    """The cookie opens as the person who signed in, and gives no access to another person's data."""
    sessions, _ = _sessions()

    session = sessions.of(sessions.begin("ada", "subject-1"))

    assert session is not None
    assert (session.user_id, session.caller.actor) == ("ada", "subject-1")
    session.caller.must_write("ada")
    with pytest.raises(Forbidden):
        session.caller.must_read("bob")


def test_a_cookie_shows_nothing_and_differs_each_time() -> None:
    """The value contains no name, and two sessions of one person have different values and form tokens."""
    sessions, _ = _sessions()
    one, two = sessions.begin("ada", "subject-1"), sessions.begin("ada", "subject-1")
    first, second = sessions.of(one), sessions.of(two)

    assert "ada" not in one
    assert one != two
    assert first is not None
    assert second is not None
    assert first.form_token != second.form_token
    assert not first.accepts(second.form_token)
    assert first.accepts(first.form_token)


def test_a_session_lasts_twelve_hours() -> None:
    """After that its cookie opens nothing, without any write."""
    sessions, clock = _sessions()
    cookie = sessions.begin("ada", "subject-1")

    clock.advance(SESSION_LIFE.total_seconds() - 1)
    assert sessions.of(cookie) is not None
    clock.advance(1)
    assert sessions.of(cookie) is None
    assert timedelta(hours=12) == SESSION_LIFE


def test_an_ended_session_cannot_be_replayed() -> None:
    """A copy of the cookie from before the sign-out opens nothing; another session stays open."""
    sessions, _ = _sessions()
    cookie, other = sessions.begin("ada", "subject-1"), sessions.begin("ada", "subject-1")
    session = sessions.of(cookie)
    assert session is not None

    sessions.end(session)

    assert sessions.of(cookie) is None
    assert sessions.of(other) is not None


def test_a_cookie_of_another_use_is_not_a_session() -> None:
    """The cookie of a sign-in in progress has the same seal, and does not open as a session."""
    members = {"user_id": "ada", "subject": "s", "key": "k"}
    attempt = SealedCookie(SESSIONS.sealer, CLOCK, "sign-in", SESSION_LIFE)

    assert SESSIONS.of(attempt.sealed(members)) is None


@given(st.text(max_size=200))
def test_a_forged_cookie_opens_nothing(forged: str) -> None:
    """Any text that was not sealed here is as good as no cookie."""
    assert SESSIONS.of(forged) is None


@given(st.integers(0, 10_000))
def test_a_changed_cookie_opens_nothing(number: int) -> None:
    """If any character of a cookie is another one, then it does not open."""
    cookie = SESSIONS.begin("ada", "subject-1")
    place = number % (len(cookie) - 1)  # The last character holds unused bits.
    other = "A" if cookie[place] != "A" else "B"

    assert SESSIONS.of(cookie[:place] + other + cookie[place + 1 :]) is None
