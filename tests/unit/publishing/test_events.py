from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from bg_ingest.publishing.events import READINGS_MAX, hash_id, keyed_id, reading_events
from bg_ingest.readings.model import Device
from bg_ingest.readings.stored.stored_reading import Hour, hour_change
from tests.unit.publishing.sample_changes import (
    REMOVED_AT,
    SOURCE,
    events_between,
    ids,
    readings_of,
    saved,
    wild_saves,
)
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, QUICK, SECOND, at, measured, realistic

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.model import Reading


# Four events of this size fit into the smallest limit of the systems that they pass.
EVENT_BYTES_MAX = 64_000
# RFC 3339, as CloudEvents requires.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _minutes(count: int, start: datetime = FIVE) -> list[Reading]:
    return [measured(start + SECOND * 59 * n, 100 + n, ticks=1_000 * n) for n in range(count)]


def test_an_envelope_is_a_cloudevent() -> None:
    """It has every attribute that the specification requires, and our extension."""
    (event,) = events_between(Hour(FIVE), saved(Hour(FIVE), [measured(at(1))], LATER), cause="ticket-4711")

    assert event.envelope(SOURCE) == {
        "specversion": "1.0",
        "id": event.event_id,
        "source": SOURCE,
        "type": "bg.readings.stored",
        "subject": "hours/2026-11-21T05",
        "time": "2026-11-21T08:00:00Z",
        "datacontenttype": "application/json",
        "correlationid": "ticket-4711",
        "data": {
            "user_id": "ada",
            "count": 1,
            "readings": [
                {
                    "timestamp": "2026-11-21T05:01:00Z",
                    "glucose_mg_dl": 110,
                    "trend": "flat",
                    "trend_rate": 0.3,
                    "status": None,
                    "type": "cgm",
                    "local_offset_minutes": None,
                    "stored_at": "2026-11-21T08:00:00Z",
                    "revision": 0,
                    "device": {"generation": "g7", "display": "iOS", "app": "G7"},
                }
            ],
        },
    }


def test_the_text_is_the_compact_envelope() -> None:
    """It contains no spaces, and a value that JSON does not have is rejected."""
    (event,) = events_between(Hour(FIVE), saved(Hour(FIVE), [measured(at(1))], LATER))
    text = event.as_text(SOURCE)

    assert json.loads(text) == event.envelope(SOURCE)
    assert " " not in text
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(event, data={"trend_rate": float("nan")}).as_text(SOURCE)


def test_a_revision_contains_the_previous_reading() -> None:
    """Both have their value and their revision number."""
    before = saved(Hour(FIVE), [measured(at(1), 110)], LATER)
    (event,) = events_between(before, saved(before, [measured(at(1), 112)], LATER + MINUTE))
    (reading,) = event.data["readings"]

    assert event.event_type == "bg.readings.revised"
    assert (reading["glucose_mg_dl"], reading["revision"]) == (112, 1)
    assert (reading["previous"]["glucose_mg_dl"], reading["previous"]["revision"]) == (110, 0)


def test_the_time_of_an_event_is_that_of_its_newest_reading() -> None:
    """Also if the stream did not show each state in between."""
    hours = [saved(Hour(FIVE), [measured(at(1), 110)], LATER)]
    for minute, mg_dl in ((6, 112), (11, 114)):
        newer = [measured(at(1), mg_dl), measured(at(minute))]
        hours.append(saved(hours[-1], newer, hours[-1].readings[0].stored_at + MINUTE))
    events = events_between(hours[0], hours[-1])

    assert [event.event_type for event in events] == ["bg.readings.stored", "bg.readings.revised"]
    assert [event.time for event in events] == [LATER + MINUTE * 2] * 2


def test_a_folded_reading_is_published_as_removed() -> None:
    """If two writers stored one measurement twice, consumers learn which of the two is gone."""
    six = FIVE + timedelta(hours=1)
    twin = saved(Hour(six), [measured(six + SECOND * 2)], LATER)
    (event,) = events_between(twin, replace(twin, readings=()))

    assert event.event_type == "bg.readings.removed"
    assert (event.data["reason"], event.data["timestamps"]) == ("duplicate", ["2026-11-21T06:00:02Z"])
    assert event.time == REMOVED_AT


def test_an_unknown_cause_leaves_out_the_correlation_id() -> None:
    """Items of the first releases have no cause, and CloudEvents allows no empty attribute."""
    (event,) = events_between(Hour(FIVE), saved(Hour(FIVE), [measured(at(1))], LATER))

    assert "correlationid" not in event.envelope(SOURCE)


def test_many_readings_become_events_of_sixty_each() -> None:
    """Their ids are one hash with a number from 1, and each reading is in one of them."""
    hour = saved(Hour(FIVE), _minutes(61), LATER)
    first, second = events_between(Hour(FIVE), hour)

    assert [event.data["count"] for event in (first, second)] == [READINGS_MAX, 1]
    assert [event.event_id[-2:] for event in (first, second)] == ["-1", "-2"]
    assert first.event_id[:-2] == second.event_id[:-2]
    assert len({reading["timestamp"] for reading in readings_of([first, second], "bg.readings.stored")}) == 61


def test_the_largest_event_stays_small() -> None:
    """Sixty revisions with their previous readings, in the longest form that sensors have."""
    before = saved(Hour(FIVE), realistic(FIVE, 1, every_s=59), LATER)
    again = [replace(stored.reading, mg_dl=401, status="high") for stored in before.readings]
    largest = events_between(before, saved(before, again, LATER + MINUTE), cause="c" * 128)[0]

    assert largest.data["count"] == READINGS_MAX
    assert len(largest.as_text(SOURCE).encode()) < EVENT_BYTES_MAX


def test_events_are_grouped_by_bytes() -> None:
    """Sixty revisions with texts of full length become several events, each of them small."""
    long = "\N{DROPLET}" * 100
    records = [replace(record, trend=long, device=Device(long, long, long, "t")) for record in _minutes(60)]
    before = saved(Hour(FIVE), records, LATER)
    again = [replace(record, mg_dl=401, status="high") for record in records]
    events = events_between(before, saved(before, again, LATER + MINUTE), cause="c" * 128)

    assert max(len(event.as_text(SOURCE).encode()) for event in events) < EVENT_BYTES_MAX
    assert sum(event.data["count"] for event in events) == 60
    assert [event.event_id.rpartition("-")[2] for event in events] == [str(n + 1) for n in range(len(events))]
    assert len({reading["timestamp"] for reading in readings_of(events, "bg.readings.revised")}) == 60


def test_readings_stored_after_an_erasure_have_new_ids() -> None:
    """The same readings of the same hour, stored again with version 1, give other events."""
    first = saved(Hour(FIVE), _minutes(3), LATER)
    second = saved(Hour(FIVE), _minutes(3), LATER + MINUTE)

    assert not {*ids(events_between(Hour(FIVE), first))} & {*ids(events_between(Hour(FIVE), second))}


def test_another_version_has_another_id() -> None:
    """For stored and for removed readings."""
    nothing, first = Hour(FIVE), saved(Hour(FIVE), [measured(at(1), 110)], LATER)
    second = saved(first, [measured(at(1), 112)], LATER + MINUTE)

    for one, other in ((nothing, first), (nothing, second)), ((first, nothing), (second, nothing)):
        assert ids(events_between(*one)) != ids(events_between(*other))


def test_events_of_two_users_have_different_ids() -> None:
    """Also if their readings are equal."""
    change = hour_change(Hour(FIVE), saved(Hour(FIVE), _minutes(3), LATER))

    assert not {*ids(reading_events("ada", change))} & {*ids(reading_events("bob", change))}


@QUICK
@given(wild_saves())
def test_the_user_is_named_in_the_data_only(states: list[Hour]) -> None:
    """Ids, subjects and reprs appear in logs of other systems."""
    for event in reading_events("grace", hour_change(Hour(FIVE), states[-1])):
        envelope = event.envelope(SOURCE)
        data = envelope.pop("data")
        assert data["user_id"] == "grace"  # A name with letters that are not hexadecimal digits.
        assert "grace" not in json.dumps(envelope)
        assert "glucose" not in f"{event!r}{envelope}"
        assert _TIME.fullmatch(envelope["time"])
        assert re.fullmatch(r"[0-9a-f]{32}-\d+", envelope["id"])


def test_an_id_is_the_same_in_every_process() -> None:
    """A consumer would take each redelivery for a new event if these ids changed."""
    (event,) = events_between(Hour(FIVE), saved(Hour(FIVE), [measured(at(1))], LATER))

    assert hash_id("bg.sync.failed", "ada", "0" * 28) == "757d95dbab6cb8b05b4c76b76d56b69c"
    assert event.event_id == "0d2cffa225759fed70138c2e567fe691-1"


GUESS = f"{hash_id('bg.connection.changed', 'ada', 7, 'connected')}-1"


def test_an_id_does_not_confirm_a_guessed_user() -> None:
    """A party that knows how ids are made and guesses every part cannot compute the id without the key."""
    published = keyed_id(b"secret of the deployment", GUESS)

    assert re.fullmatch(r"[0-9a-f]{32}-1", published)
    assert published != GUESS
    assert published != keyed_id(b"another key", GUESS)


def test_the_same_event_has_the_same_keyed_id() -> None:
    """A redelivery is recognised, and two parts of one change differ."""
    assert keyed_id(b"key", GUESS) == keyed_id(b"key", GUESS)
    assert keyed_id(b"key", "a-1") != keyed_id(b"key", "a-2")
