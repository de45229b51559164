"""Persons in each state of the page, with generated readings and their statistics."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import rfc_3339
from bg_ingest.facades.page.flow_sentence import FlowStatus, Situation, SyncFacts
from bg_ingest.facades.page.person_view import PersonView, SourceView
from bg_ingest.facades.page.wording import Wording, offset_zone
from bg_ingest.statistics.as_json import profile_json, statistics_json
from bg_ingest.statistics.profile import profile
from bg_ingest.statistics.series import Series
from bg_ingest.statistics.summary import compared_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 28, 15, 31, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFFSET_MINUTES = 60


def generated(days: float, until: datetime, seed: int = 7) -> list[tuple[datetime, int]]:
    """Readings of some days up to an instant, every five minutes, with three meals a day."""
    chance = random.Random(seed)  # noqa: S311 - random readings, not secrets.
    readings, drift = [], 0.0
    start = until - timedelta(days=days)
    for number in range(int(288 * days)):
        at = start + (number + 1) * 5 * MINUTE
        hour = (at + OFFSET_MINUTES * MINUTE).hour + at.minute / 60
        meals = sum(95 * math.exp(-(((hour - meal) % 24 - 1.2) ** 2) / 1.1) for meal in (7.5, 12.5, 19))
        drift = 0.97 * drift + chance.gauss(0, 5.5)
        readings.append((at, round(min(max(112 + meals + drift - 26 * (2 < hour < 5), 39), 401))))
    return readings


def view_of(
    status: FlowStatus,
    *,
    unit: str = "mg/dL",
    days: float = 40,
    connection: ConnectionState = ConnectionState.CONNECTED,
    newest_age: timedelta = 61 * MINUTE,
    **facts: Any,
) -> PersonView:
    """One person; the readings have three gaps."""
    readings = [
        (at, mg_dl)
        for at, mg_dl in generated(days, NOW - newest_age)
        if not _in_gap(NOW - at) and not (at.day % 9 == 0 and at.hour in {3, 4, 5})
    ]
    syncs = SyncFacts(
        followed_since=NOW - 40 * DAY,
        look_every=15 * MINUTE,
        last_attempt_at=NOW - 10 * MINUTE,
        last_success_at=NOW - 10 * MINUTE,
        next_look_at=NOW + 5 * MINUTE,
        last_error=None,
        history_done=True,
        our_delay=timedelta(seconds=48),
    )
    newest_at = readings[-1][0] if readings else None
    dexcom = Situation(connection, "Dexcom", replace(syncs, **facts), newest_at, 60 * MINUTE)
    own = Situation(ConnectionState.DISCONNECTED, "Nightscout", None, None, None, own_server=True)
    view = PersonView(
        name="ada",
        wording=Wording(NOW, offset_zone(OFFSET_MINUTES), unit),  # type: ignore[arg-type] # One of the two.
        sources=[SourceView(dexcom, 15 * MINUTE), SourceView(own, 15 * MINUTE)],
        intervals=[5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY],
        newest=_newest(readings),
        trace=[each for each in readings if each[0] >= NOW - DAY],
        days=_days(readings),
        jobs=_jobs(failing=facts.get("last_error") is not None),
        audit=_audit(),
        own_names=frozenset({"ada"}),
        **_figures(readings),
    )
    assert view.sentence.status is status, view.sentence
    return view


FIVE_STATES = ("flowing", "late-at-provider", "late-at-us", "connect-again", "stopped")
TWO_SOURCES = ("both-flow", "one-fails", "own-server-fails")
STATES = (*FIVE_STATES, *TWO_SOURCES)


@cache
def in_state(name: str) -> PersonView:
    """A person in one of the states: one of five, or of Dexcom beside a Nightscout."""
    outage: dict[str, Any] = {"last_error": "Unavailable", "last_success_at": NOW - 3 * HOUR}
    stuck: dict[str, Any] = {"last_attempt_at": NOW - 50 * MINUTE, "last_success_at": NOW - 50 * MINUTE}
    none: dict[str, Any] = {"next_look_at": None}
    match name:
        case "flowing":
            return view_of(FlowStatus.FLOWING)
        case "late-at-provider":
            return view_of(FlowStatus.LATE_AT_PROVIDER, newest_age=4 * HOUR, **outage)
        case "late-at-us":
            return view_of(FlowStatus.LATE_AT_US, newest_age=105 * MINUTE, unit="mmol/L", **stuck)
        case "connect-again":
            state = ConnectionState.NEEDS_REAUTH
            return view_of(FlowStatus.CONNECT_AGAIN, connection=state, newest_age=9 * HOUR, days=9, **none)
        case "stopped":
            state = ConnectionState.DISCONNECTED
            return view_of(FlowStatus.STOPPED, connection=state, days=0, newest_age=3 * DAY, **none)
    newest_age = 61 * MINUTE if name == "own-server-fails" else 3 * MINUTE
    return _with_nightscout(view_of(FlowStatus.FLOWING, newest_age=newest_age), name)


def newcomers_view() -> PersonView:
    """A person who has signed in for the first time."""
    dexcom = Situation(ConnectionState.DISCONNECTED, "Dexcom", None, None, None)
    own = replace(dexcom, provider="Nightscout", own_server=True)
    return PersonView(
        name="ada",
        wording=Wording(NOW, offset_zone(None), "mg/dL"),
        sources=[SourceView(each, 15 * MINUTE) for each in (dexcom, own)],
        trace=[],
        days=[],
        jobs=[],
        grants=[],
        audit=[],
        **_figures([]),
    )


def _with_nightscout(view: PersonView, name: str) -> PersonView:
    dexcom, own = view.sources
    syncs = dexcom.situation.syncs
    assert syncs
    newest_at, refused = dexcom.situation.newest_at, ConnectionState.NEEDS_REAUTH
    relayed = replace(
        own.situation,
        connection=refused if name == "own-server-fails" else ConnectionState.CONNECTED,
        syncs=replace(
            syncs,
            followed_since=NOW - 9 * DAY,
            look_every=5 * MINUTE,
            last_attempt_at=NOW - 2 * MINUTE,
            last_success_at=NOW - 2 * MINUTE,
            next_look_at=NOW + 3 * MINUTE,
        ),
        newest_at=NOW - 2 * HOUR if name == "own-server-fails" else newest_at,
        provider_delay=MINUTE,
    )
    first = replace(
        dexcom.situation,
        connection=refused if name == "one-fails" else ConnectionState.CONNECTED,
        syncs=replace(syncs, last_success_at=NOW - 9 * HOUR) if name == "one-fails" else syncs,
        newest_at=NOW - (9 if name == "one-fails" else 1) * HOUR,
    )
    view = replace(view, sources=[replace(dexcom, situation=first), SourceView(relayed, 5 * MINUTE)])
    assert view.sentence.status is FlowStatus.FLOWING, view.sentence
    return view


def _in_gap(age: timedelta) -> bool:
    return 3 * HOUR < age < 3.6 * HOUR or 11 * HOUR < age < 13 * HOUR


def _newest(readings: list[tuple[datetime, int]]) -> Mapping[str, Any] | None:
    if not readings:
        return None
    at, mg_dl = readings[-1]
    return {"timestamp": rfc_3339(at), "glucose_mg_dl": mg_dl, "trend": "fortyFiveUp", "status": None}


def _days(readings: list[tuple[datetime, int]]) -> list[dict[str, Any]]:
    counted: dict[date, int] = {}
    for at, _ in readings:
        counted[at.date()] = counted.get(at.date(), 0) + 1
    days = []
    for number, day in enumerate(sorted(counted)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        expected = min(288, int((NOW - midnight) / (5 * MINUTE)))
        there, late = counted[day], min(7 * (number % 5 == 0) + 60 * (number == 20), counted[day])
        gap = {"from": rfc_3339(midnight + 3 * HOUR), "to": rfc_3339(midnight + 5 * HOUR)}
        missing = max(expected - there, 0)
        days.append(
            {
                "date": day.isoformat(),
                "expected": expected,
                "received": there - late,
                "late": late,
                "missing": missing,
                "pending": 0,
                "gaps": [gap] if missing else [],
            }
        )
    return days


def _figures(readings: list[tuple[datetime, int]]) -> dict[str, Any]:
    series = Series(
        [int(at.timestamp()) for at, _ in readings],
        [mg_dl for _, mg_dl in readings],
        [OFFSET_MINUTES] * len(readings),
    )
    last = NOW.date()
    first = last - 13 * DAY
    return {
        "statistics": statistics_json(compared_statistics(series, first, last, NOW), as_of=None, version="1"),
        "profile": profile_json(profile(series, first, last, NOW), as_of=None),
    }


def _jobs(*, failing: bool) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    for number in range(6):
        at = NOW - timedelta(minutes=10 + 15 * number)
        failed = failing and number < 2
        stored = 0 if failed else 3
        jobs.append(
            {
                "job_id": f"{number:028x}",
                "kind": "incremental" if number != 4 else "reconcile",
                "trigger": "schedule" if number != 2 else "api",
                "status": "failed" if failed else "succeeded",
                "started_at": rfc_3339(at),
                "finished_at": rfc_3339(at + timedelta(seconds=2)),
                "window": None,
                "counts": {
                    "fetched": 4 * (stored > 0),
                    "stored": stored,
                    "revised": 0,
                    "duplicates": 1,
                    "invalid": 0,
                },
                "invalid": [],
                "error": {"type": "Unavailable", "retryable": True, "attempts": 3} if failed else None,
                "correlation_id": "c",
            }
        )
    return jobs


def _audit() -> list[dict[str, Any]]:
    return [
        {
            "at": rfc_3339(NOW - n * 7 * HOUR),
            "actor": actor,
            "action": action,
            "outcome": "done",
            "correlation_id": "c",
        }
        for n, (actor, action) in enumerate(
            [
                ("ada", "POST /api/bg/{userId}/sync"),
                ("clinic-reports", "GET /api/bg/{userId}/statistics"),
                ("ada", "POST /api/bg/{userId}/connection"),
            ]
        )
    ]
