"""The values of a person's page, read from the stores and calculated as the API answers them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from bg_ingest.access.grant import Category
from bg_ingest.accounts.display_settings import zone_named
from bg_ingest.clock import from_iso
from bg_ingest.facades.native import reading_text
from bg_ingest.facades.page.charts.day_chart import SPAN
from bg_ingest.facades.page.charts.days_strip import OPEN_DAYS, STRIP_DAYS
from bg_ingest.facades.page.flow_sentence import Situation, SyncFacts
from bg_ingest.facades.page.person_view import PersonView, SourceView
from bg_ingest.facades.page.wording import Wording, offset_zone
from bg_ingest.http_api.answers import insight_response
from bg_ingest.http_api.answers.insight_response import LocalRange
from bg_ingest.http_api.answers.range_response import exact_text
from bg_ingest.http_api.answers.sync_json import days_as_json, job_as_json, state_as_json
from bg_ingest.readings.store import AHEAD_MAX
from bg_ingest.settings import POLL_INTERVALS_S
from bg_ingest.statistics.as_json import profile_json, statistics_json
from bg_ingest.statistics.bands import target_percent
from bg_ingest.statistics.days import coverage, local_days
from bg_ingest.statistics.from_columns import instants_of, series_of_hours
from bg_ingest.statistics.profile import profile
from bg_ingest.statistics.series import Series, between
from bg_ingest.statistics.summary import period_before, statistics
from bg_ingest.sync.completeness_store import current_days, followed_by
from bg_ingest.sync.local_completeness import local_completeness
from bg_ingest.sync.user_sources import NO_SOURCE
from bg_ingest.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.grant import Reader
    from bg_ingest.access.grants import GrantService
    from bg_ingest.accounts.display_settings import DisplayStore
    from bg_ingest.facades.page.charts.day_chart import Trace
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading
    from bg_ingest.sync.service import SyncService
    from bg_ingest.sync.state import SyncState
    from bg_ingest.sync.user_sources import UserSource

JOBS_SHOWN = 30
AUDIT_ENTRIES_SHOWN = 10
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Person:
    """What several parts of the page need of a person, read once."""

    user_id: str = field(repr=False)
    sources: list[UserSource]
    newest: StoredReading | None = field(repr=False)
    today: date
    opened: date  # The first of the days that can be opened.
    hours: list[HourColumns] = field(repr=False)  # Those days, and as many before them.
    last_day: list[StoredReading] = field(repr=False)  # In order of time.

    @cached_property
    def days(self) -> LocalRange:
        """The days that can be opened, with the readings of the period before them."""
        return LocalRange(series_of_hours(self.hours), self.opened, self.today)


@dataclass(frozen=True, slots=True)
class PageSources:
    """Where the values come from."""

    service: SyncService
    reading_store: ReadingStore
    audit: Audit
    grants: GrantService
    display: DisplayStore

    @property
    def names(self) -> list[str]:
        """The names of the providers that a person can connect."""
        return [each.capitalize() for each in self.service.providers]


def own_view(sources: PageSources, user_id: str, subject: str, notice: str | None = None) -> PersonView:
    """The page of a person for themselves."""
    person = _read(sources.service, user_id, with_days=True)
    view, days = _view(sources, person, person.newest), person.days
    jobs = sources.service.history.newest_first(user_id)
    entries = sources.audit.newest_first(user_id)
    return replace(
        view,
        trace=_trace(days, view.wording.now),
        days=_completeness(sources.service, person),
        statistics=_statistics(days, view.wording.now),
        profile=_profile(days, view.wording.now),
        jobs=[job_as_json(job) for job in islice(jobs, JOBS_SHOWN)],
        grants=[grant.as_json() for grant in sources.grants.of_user(user_id)],
        audit=[entry.as_json() for entry in islice(entries, AUDIT_ENTRIES_SHOWN)],
        own_names=frozenset({user_id, subject}),
        notice=notice,
    )


def readers_view(sources: PageSources, reader: Reader) -> PersonView:
    """The page as a reader sees it: the parts and the days of the grant, and no acts."""
    grant, now = reader.grant, sources.service.clock.now()
    person = _read(sources.service, grant.user_id, with_days=Category.COMPLETENESS in grant.reads)
    visible = reader.visible(sources.reading_store, now)
    view = _view(sources, person, visible.latest(grant.user_id))
    days = insight_response.read_days(visible, grant.user_id, (None, None), now, with_period_before=True)
    may_see_readings = Category.READINGS in grant.reads
    figures: dict[str, Any] = {}
    if may_see_readings:
        figures |= {"trace": _trace(days, now)}
    if Category.STATISTICS in grant.reads:
        figures |= {"statistics": _statistics(days, now), "profile": _profile(days, now)}
    if Category.COMPLETENESS in grant.reads:
        opened = reader.days(sources.reading_store, now)
        shown = _completeness(sources.service, person)
        figures |= {"days": [day for day in shown if opened.narrowed(*[date.fromisoformat(day["date"])] * 2)]}
    return replace(
        view,
        reader=grant.label,
        newest=view.newest if may_see_readings else None,
        # With fixed days, the newest reading of the grant says nothing about the flow.
        shows_flow=may_see_readings and grant.days.last_day is None,
        **figures,
    )


def _read(service: SyncService, user_id: str, *, with_days: bool) -> _Person:
    """Read the sources, and the readings of the last day and of both periods, each once."""
    now, readings = service.clock.now(), service.stores.reading_store
    # A device's clock may run ahead. The newest reading of a person whose data flows is of the last day.
    last_day = list(readings.between(user_id, now - _ONE_DAY, now + AHEAD_MAX + timedelta.resolution))
    newest = last_day[-1] if last_day else readings.latest(user_id)
    offset = newest.reading.local_offset_minutes if newest else None
    today = (now + timedelta(minutes=offset or 0)).date()
    opened = today - (OPEN_DAYS - 1) * _ONE_DAY
    begin, end = instants_of(opened - OPEN_DAYS * _ONE_DAY, today)
    hours = list(readings.columns(user_id, begin, end)) if with_days else []
    return _Person(user_id, service.sources(user_id), newest, today, opened, hours, last_day)


def _view(sources: PageSources, person: _Person, newest: StoredReading | None) -> PersonView:
    """What every page has."""
    service, now = sources.service, sources.service.clock.now()
    display = sources.display.get(person.user_id)
    offset = newest.reading.local_offset_minutes if newest else None
    wording = Wording(now, zone_named(display.zone) or offset_zone(offset), display.unit)
    return PersonView(
        name=person.user_id,
        wording=wording,
        sources=_sources(service, person, newest),
        intervals=[timedelta(seconds=each) for each in sorted(POLL_INTERVALS_S | {service.poll_interval_s})],
        zone_choice=display.zone or "",
        newest=reading_text.as_json(newest) if newest else None,
    )


def _sources(service: SyncService, person: _Person, newest: StoredReading | None) -> list[SourceView]:
    """The sources of a person, and the providers that they can connect."""
    of_person = {each.provider: each for each in person.sources if each.connection}
    now, stretch = service.clock.now(), service.stores.states.stretch()
    last_day = [each for each in person.last_day if each.reading.at < now]
    views = []
    for name, provider in service.providers.items():
        source = of_person.get(name, NO_SOURCE)
        state, own_server = source.sync_state, provider.capabilities.own_server
        newest_at = state.data_until if state else None
        if newest and [*of_person] in ([], [name]):
            newest_at = newest.reading.at  # A webhook can bring a reading that no sync has seen.
        situation = Situation(source.state, name.capitalize(), None, newest_at, None, own_server)
        if state:
            delays = service.delays(state, stretch, last_day)
            stated = state_as_json(state, source.state, service.poll_interval_s, now, stretch, delays)
            situation = replace(
                situation,
                syncs=_sync_facts(state, stated),
                provider_delay=timedelta(seconds=delays.provider_s) if delays else None,
            )
        interval_s = state.poll_interval_s if state else service.poll_interval_s
        views.append(SourceView(situation, timedelta(seconds=interval_s)))
    return views


def _sync_facts(state: SyncState, stated: Mapping[str, Any]) -> SyncFacts:
    error, our_delay_s = stated["last_error"], stated["our_delay_seconds"]
    return SyncFacts(
        followed_since=state.connected_at,
        look_every=timedelta(seconds=stated["poll_interval_in_effect_seconds"] or state.poll_interval_s),
        last_attempt_at=state.last_attempt_at,
        last_success_at=state.last_success_at,
        next_look_at=from_iso(stated["next_poll_at"]),
        last_error=error["type"] if error else None,
        history_done=stated["backfill"]["done"],
        our_delay=None if our_delay_s is None else timedelta(seconds=our_delay_s),
    )


def _trace(days: LocalRange, now: datetime) -> Trace:
    recent = _since(days.series, now - SPAN)
    return [
        (datetime.fromtimestamp(unix_s, UTC), mg_dl)
        for unix_s, mg_dl in zip(recent.unix_s, recent.mg_dl, strict=True)
        if unix_s <= now.timestamp()
    ]


def _statistics(days: LocalRange, now: datetime) -> dict[str, Any]:
    figures = statistics(_without_period_before(days), days.first, days.last, now)
    shown: dict[str, Any] = statistics_json(figures, as_of=exact_text(now), version=VERSION)
    return shown | {"previous": _period_before(days, now)}


def _period_before(days: LocalRange, now: datetime) -> dict[str, Any] | None:
    """As much of the statistics of the days before as the page compares with."""
    before = period_before(days.first, days.last)
    if before is None:
        return None
    readings = between(days.series, *before)
    return {
        "sufficient": coverage(local_days(readings, *before, now)).sufficient,
        "bands": {"target": {"percent": target_percent(readings.mg_dl)}},
    }


def _profile(days: LocalRange, now: datetime) -> dict[str, Any]:
    figures = profile(_without_period_before(days), days.first, days.last, now)
    return profile_json(figures, as_of=exact_text(now))


def _without_period_before(days: LocalRange) -> Series:
    return _since(days.series, instants_of(days.first, days.last)[0])


def _since(series: Series, start: datetime) -> Series:
    first = bisect_left(series.unix_s, start.timestamp())
    return Series(series.unix_s[first:], series.mg_dl[first:], series.offset_minutes[first:])


def _completeness(service: SyncService, person: _Person) -> list[dict[str, Any]]:
    """The days of the strip; those that can be opened are local days, as their gaps and jobs are read."""
    # Local days are computed from all their readings. For 92 days this would take longer than the whole page,
    # so the older ones are the stored days of UTC.
    states = [each.sync_state for each in person.sources if each.sync_state]
    if not states:
        return []
    stores, now, opened = service.stores, service.clock.now(), person.opened
    first, last = person.today - (STRIP_DAYS - 1) * _ONE_DAY, opened - _ONE_DAY
    older = current_days(stores.reading_store, stores.completeness, states, first, last, now)
    versions = partial(stores.reading_store.between, person.user_id)
    days = person.days
    series = _without_period_before(days)
    local = local_completeness(
        person.hours, series, days.first, days.last, now, followed_by(states), versions
    )
    shown: list[dict[str, Any]] = days_as_json([*older, *local])["days"]
    return shown
