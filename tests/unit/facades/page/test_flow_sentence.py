"""The sentence at the head of the page, over every situation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.facades.page.flow_sentence import (
    FlowStatus,
    Situation,
    SyncFacts,
    explained_by,
    flow_sentence,
    flow_status,
)
from bg_ingest.facades.page.wording import Wording, offset_zone

NOW = datetime(2026, 11, 28, 15, 31, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WORDING = Wording(NOW, UTC, "mg/dL")
OUR_ERRORS = ("internal", "abandoned", "unreadable", "sync-running", "Crowded", "QuotaSpent", "OutOfTime")
THEIR_ERRORS = ("Unavailable", "Throttled", "Garbled", "CircuitOpen", "ContractBroken", "RequestRefused")
ages = st.timedeltas(timedelta(), timedelta(days=40))
instants = ages.map(lambda age: NOW - age)
delays = st.none() | st.timedeltas(timedelta(), timedelta(hours=6))
FACTS = SyncFacts(
    followed_since=NOW - timedelta(days=30),
    look_every=15 * MINUTE,
    last_attempt_at=NOW - 2 * MINUTE,
    last_success_at=NOW - 2 * MINUTE,
    next_look_at=NOW + 5 * MINUTE,
    last_error=None,
    history_done=True,
    our_delay=timedelta(seconds=48),
)
CONNECTED = Situation(ConnectionState.CONNECTED, "Dexcom", FACTS, NOW - 61 * MINUTE, 60 * MINUTE)
situations = st.builds(
    Situation,
    st.sampled_from(ConnectionState),
    st.just("Dexcom"),
    st.none()
    | st.builds(
        SyncFacts,
        followed_since=instants,
        look_every=st.sampled_from([5, 15, 60, 360]).map(lambda minutes: minutes * MINUTE),
        last_attempt_at=st.none() | instants,
        last_success_at=st.none() | instants,
        next_look_at=st.none() | ages.map(lambda age: NOW + age),
        last_error=st.none() | st.sampled_from([*OUR_ERRORS, *THEIR_ERRORS, "account-changed", "New"]),
        history_done=st.booleans(),
        our_delay=delays,
    ),
    st.none() | instants,
    delays,
)


def _changed(**facts: object) -> Situation:
    return replace(CONNECTED, syncs=replace(FACTS, **facts))  # type: ignore[arg-type] # Each test passes its own.


def test_flowing_names_delay_and_next_look() -> None:
    """A reading as old as the provider's delay is expected, and the sentence says so."""
    assert str(flow_sentence(CONNECTED, WORDING)) == (
        "Flowing. Newest 14:30, 61 minutes old: Dexcom hands readings over about 60 minutes late;"
        " they are stored 48 s after that. Next look 15:36."
    )


def test_storing_within_a_second_is_at_once() -> None:
    """A delay of no seconds is not worth a number."""
    late = _changed(our_delay=timedelta(seconds=0.4))
    in_time = replace(_changed(our_delay=timedelta(), look_every=60 * MINUTE), provider_delay=MINUTE)

    assert "about 60 minutes late; they are stored at once." in flow_sentence(late, WORDING).text
    assert "61 minutes old, stored as soon as Dexcom had it." in flow_sentence(in_time, WORDING).text


@pytest.mark.parametrize("error", THEIR_ERRORS)
def test_an_outage_is_named_after_one_failed_poll(error: str) -> None:
    """The newest reading is not late yet, but the provider has failed."""
    sentence = flow_sentence(_changed(last_error=error), WORDING)

    assert sentence.status is FlowStatus.LATE_AT_PROVIDER
    assert sentence.headline == "Late at Dexcom"


@pytest.mark.parametrize("error", OUR_ERRORS)
def test_our_own_fault_is_not_blamed_on_the_provider(error: str) -> None:
    """The sentence says that it is our fault and that nothing is lost."""
    sentence = flow_sentence(_changed(last_error=error), WORDING)

    assert sentence.status is FlowStatus.LATE_AT_US
    assert "Nothing is lost." in sentence.text


def test_a_missed_poll_is_late_at_us() -> None:
    """Without a sync for longer than the interval, the scheduler or the queue is late."""
    facts = {"last_attempt_at": NOW - 26 * MINUTE, "last_success_at": NOW - 26 * MINUTE}

    assert flow_status(_changed(**facts), NOW) is FlowStatus.LATE_AT_US


def test_a_silent_sensor_is_late_at_the_provider() -> None:
    """The polls succeed, but the newest reading is older than everything explains."""
    quiet = replace(CONNECTED, newest_at=NOW - timedelta(days=3))

    assert flow_status(quiet, NOW) is FlowStatus.LATE_AT_PROVIDER
    assert "nothing newer for 3 days" in flow_sentence(quiet, WORDING).text


def test_a_first_history_is_on_its_way() -> None:
    """Between the login and the first reading, the sentence says what happens."""
    sentence = flow_sentence(replace(_changed(history_done=False), newest_at=None), WORDING)

    assert sentence.status is FlowStatus.LATE_AT_US
    assert "history is being fetched" in sentence.text


@given(situations)
def test_status_follows_the_connection_first(situation: Situation) -> None:
    """A disconnected person is stopped, and a dead login needs a new one, regardless of the rest."""
    status = flow_status(situation, NOW)

    if situation.connection is ConnectionState.DISCONNECTED or situation.syncs is None:
        assert status is FlowStatus.STOPPED
    elif situation.connection is ConnectionState.NEEDS_REAUTH:
        assert status is FlowStatus.CONNECT_AGAIN
    else:
        assert status is not FlowStatus.STOPPED


@given(situations)
def test_flowing_means_fresh_and_without_error(situation: Situation) -> None:
    """The page never says "Flowing" with an error, without a reading, or with an unexplained age."""
    if flow_status(situation, NOW) is not FlowStatus.FLOWING:
        return
    assert situation.syncs is not None
    assert situation.syncs.last_error is None
    assert situation.newest_at is not None
    assert NOW - situation.newest_at <= explained_by(situation)


@given(situations, ages)
def test_more_age_never_makes_it_flow(situation: Situation, more: timedelta) -> None:
    """If nothing changes, then time alone never turns a late state into "Flowing"."""
    if flow_status(situation, NOW) is not FlowStatus.FLOWING:
        assert flow_status(situation, NOW + more) is not FlowStatus.FLOWING


@given(situations)
def test_each_sentence_is_complete(situation: Situation) -> None:
    """Each one ends with a full stop, lacks no value, and names the newest reading if there is one."""
    sentence = flow_sentence(situation, WORDING)

    assert sentence.text.endswith(".")
    assert "None" not in str(sentence)
    assert ".." not in str(sentence)
    assert sentence.headline in {"Flowing", "Late at Dexcom", "Late at us", "Connect again", "Stopped"}
    if situation.newest_at:
        assert WORDING.clock(situation.newest_at) in sentence.text


@given(situations, st.integers(-14 * 60, 14 * 60))
def test_a_zone_changes_only_the_clock(situation: Situation, minutes: int) -> None:
    """The status does not depend on the person's zone."""
    elsewhere = Wording(NOW, offset_zone(minutes), "mmol/L")

    assert flow_sentence(situation, elsewhere).status is flow_sentence(situation, WORDING).status
