from __future__ import annotations

from datetime import timedelta

from bg_ingest.publishing.republish import events_of_hour, republish
from bg_ingest.readings.merging.hour import Hour
from tests.support.sinks import MemorySink
from tests.unit.publishing.made_up import USER, ids, saved
from tests.unit.readings.made_up import FIVE, LATER, measured

HOURS = [
    saved(Hour(start), [measured(start), measured(start + timedelta(minutes=5))], LATER)
    for start in (FIVE + timedelta(hours=n) for n in range(4))
]


def test_every_hour_is_told_in_order() -> None:
    """And how much it was."""
    sink = MemorySink()
    done = republish(USER, iter(HOURS), sink=sink, time_left_s=lambda: 60.0)

    assert (done.hours, done.events, done.again_from, done.trouble) == (4, 4, None, None)
    assert ids(sink.arrived) == [each for hour in HOURS for each in ids(list(events_of_hour(USER, hour)))]


def test_a_sink_that_goes_down_says_where_to_go_on() -> None:
    """From the hour that did not arrive whole."""
    done = republish(USER, iter(HOURS), sink=MemorySink(room=2), time_left_s=lambda: 60.0)

    assert (done.hours, done.events, done.trouble) == (2, 2, "SinkDown")
    assert done.again_from == HOURS[2].start


def test_when_time_runs_out_it_says_where_to_go_on() -> None:
    """Before it is killed without a word."""
    left_s = iter([60.0, 30.0, 9.0])
    sink = MemorySink()
    done = republish(USER, iter(HOURS), sink=sink, time_left_s=lambda: next(left_s))

    assert (done.hours, done.again_from, done.trouble) == (2, HOURS[2].start, None)
    assert len(sink.arrived) == 2
