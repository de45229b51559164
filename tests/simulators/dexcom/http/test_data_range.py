from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexcom_sim.simulator import SimulatedDexcom
from dexcom_sim.timestamps import parse_with_zone, written_utc
from tests.simulators.dexcom.visitor import ANA, DATA_RANGE, DAY_S, HOUR_S, Visitor, new_visitor
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping


def egvs_since(visitor: Visitor, tokens: Mapping[str, Any], synced_s: int) -> Any:
    """The egvs span of dataRange since that second."""
    return visitor.get(tokens, DATA_RANGE, lastSyncTime=written_utc(synced_s)).json()["egvs"]


def test_data_range_spans_all_readings() -> None:
    """Without lastSyncTime it starts more than a year ago and ends with the newest reading."""
    visitor = new_visitor()
    tokens = visitor.connect()
    egvs = visitor.get(tokens, DATA_RANGE).json()["egvs"]
    start_s = parse_with_zone(egvs["start"]["systemTime"])

    assert start_s is not None
    assert visitor.now_s - start_s > 390 * DAY_S
    assert egvs["end"]["systemTime"] == visitor.day(tokens)[0]["systemTime"]


def test_data_range_starts_with_a_late_upload() -> None:
    """A reading of yesterday that is uploaded now moves the start back to yesterday."""
    visitor = new_visitor()
    tokens = visitor.connect()
    late = written_utc(visitor.now_s - DAY_S)
    visitor.clock.advance(HOUR_S)
    visitor.client.post(f"/_sim/users/{ANA}/readings", json={"system_time": late, "value": 99})

    assert egvs_since(visitor, tokens, visitor.now_s - 60)["start"]["systemTime"] == late


def test_an_upload_at_last_sync_time_is_not_new() -> None:
    """A reading uploaded in the second of lastSyncTime is not new; a second later it is."""
    visitor = new_visitor()
    tokens = visitor.connect()
    newest_s = parse_with_zone(visitor.day(tokens)[0]["systemTime"])
    assert newest_s is not None

    assert egvs_since(visitor, tokens, newest_s) is None
    assert egvs_since(visitor, tokens, newest_s - 1) is not None


def test_data_range_is_null_without_new_uploads() -> None:
    """If no reading was uploaded since lastSyncTime, the span is null."""
    visitor = new_visitor()

    assert egvs_since(visitor, visitor.connect(), visitor.now_s) is None


def test_an_old_last_sync_time_reports_no_data() -> None:
    """As observed at Dexcom, the result for a time older than 30 days is wrong."""
    visitor = new_visitor()
    tokens = visitor.connect()

    assert egvs_since(visitor, tokens, visitor.now_s - 30 * DAY_S) is not None
    assert egvs_since(visitor, tokens, visitor.now_s - 31 * DAY_S) is None


@pytest.mark.parametrize("text", ["2026-04-26T11:00:00", "yesterday", ""])
def test_a_last_sync_time_without_zone_is_rejected(text: str) -> None:
    """LastSyncTime must name an instant."""
    visitor = new_visitor()

    assert visitor.get(visitor.connect(), DATA_RANGE, lastSyncTime=text).status_code == 400


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 8), st.integers(0, 20 * DAY_S))
def test_data_range_matches_the_visible_readings(number: int, ago_s: int) -> None:
    """It is the first and the last reading that became visible since then."""
    simulator = SimulatedDexcom(clock=FakeClock())
    person = simulator.people[f"SandboxUser{number}"]
    now_s = simulator.now_s()
    then_s = now_s - ago_s

    def visible(at_s: int) -> set[int]:
        return {
            it.at_s
            for it, _ in simulator.archive.uploaded_measurements(person, then_s - 25 * DAY_S, now_s + 1, at_s)
        }

    new = visible(now_s) - visible(then_s)
    span = simulator.data_span(person, then_s)
    assert (span and (span.first_s, span.last_s)) == ((min(new), max(new)) if new else None)
