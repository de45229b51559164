"""
The operator's page: how the whole service is doing, in numbers.

It contains no glucose value, no id and no name. Each section is a table, and the sentence above them names
what needs a look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import rfc_3339
from bg_ingest.facades.page.charts.patterns import marks
from bg_ingest.facades.page.flow_sentence import FlowStatus
from bg_ingest.facades.page.markup import element, joined, table
from bg_ingest.facades.page.wording import counted, duration, grouped, in_words, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

# Users whose connection is valid, by the age of their newest reading. The last one has no end.
AGES = (
    ("up to 30 minutes", timedelta(minutes=30)),
    ("up to 2 hours", timedelta(hours=2)),
    ("up to 6 hours", timedelta(hours=6)),
    ("up to a day", timedelta(days=1)),
    ("up to a week", timedelta(days=7)),
    ("older", timedelta.max),
)
NO_DATA = "no reading yet"
_STATES = (
    ("connected", "Connected", "is polled"),
    ("needs_reauth", "Connect again", "the provider refuses the tokens; the user has to log in"),
    ("disconnected", "Disconnected", "ended by the user; the readings stay"),
)
# What each queue is for, in the order of the page.
_QUEUES = {
    "interactive": "callers and webhooks",
    "polls": "users who are due",
    "bulk": "histories, daily checks",
    "exports": "files that were asked for",
    "erasures": "users who asked for it",
}
_QUOTA_NEARLY_SPENT_PERCENT = 80
_BACKLOG_MIN = 1_000


@dataclass(frozen=True, slots=True)
class QueueLevel:
    """The messages of one queue, and those that were given up."""

    waiting: int
    in_work: int
    delayed: int
    given_up: int


@dataclass(frozen=True, slots=True)
class FailureKind:
    """The users whose last sync at one provider failed for one reason."""

    provider: str
    error: str
    users: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The numbers of the page, as of one instant."""

    at: datetime
    users: int  # That were counted; `has_more` says whether there are others.
    has_more: bool
    states: Mapping[str, int]  # Each user once, by the best state of their sources.
    sources: Mapping[str, Mapping[str, int]]  # The states of all sources, by provider.
    ages: Mapping[str, int]  # By the names of AGES, and NO_DATA; of connected users.
    failures: Sequence[FailureKind]
    queues: Mapping[str, QueueLevel]
    quota_taken: int
    quota_limit: int
    quota_renewed_at: datetime
    provider_is_down: bool

    @property
    def concerns(self) -> list[str]:
        """What an operator should look at, the most urgent first."""
        found = []
        if self.provider_is_down:
            found.append("Calls to the provider are stopped: most of the last ones failed")
        given_up = sum(level.given_up for level in self.queues.values())
        if given_up:
            found.append(f"{counted(given_up, 'message was', 'messages were')} given up")
        if self.quota_percent >= _QUOTA_NEARLY_SPENT_PERCENT:
            found.append(f"{self.quota_percent:.0f} % of this hour's calls are spent")
        backlogs = [name for name, level in self.queues.items() if level.waiting >= _BACKLOG_MIN]
        if backlogs:
            found.append(f"Orders wait in {' and '.join(backlogs)}")
        return found

    @property
    def quota_percent(self) -> float:
        """The share of this hour's calls that processes have taken."""
        return 100 * self.quota_taken / self.quota_limit

    def as_json(self) -> dict[str, Any]:
        """The numbers for a program."""
        return {
            "at": rfc_3339(self.at),
            "users": {"counted": self.users, "more": self.has_more, "by_state": dict(self.states)},
            "sources": {provider: dict(states) for provider, states in self.sources.items()},
            "newest_reading": dict(self.ages),
            "failures": [
                {
                    "provider": each.provider,
                    "type": each.error,
                    "users": each.users,
                    "newest_at": rfc_3339(each.newest_at),
                }
                for each in self.failures
            ],
            "queues": {
                name: {
                    "waiting": level.waiting,
                    "in_work": level.in_work,
                    "delayed": level.delayed,
                    "given_up": level.given_up,
                }
                for name, level in self.queues.items()
            },
            "quota": {
                "taken": self.quota_taken,
                "limit": self.quota_limit,
                "renewed_at": rfc_3339(self.quota_renewed_at),
            },
            "provider": "unavailable" if self.provider_is_down else "ok",
            "concerns": self.concerns,
        }


def status_sections(status: ServiceStatus, wording: Wording) -> list[Markup]:
    """All sections of the page."""
    return [
        _sentence(status),
        element("div", _card("Users", _users(status)), _card("Newest reading", _ages(status)), class_="pair"),
        _card("Queues", _queues(status)),
        element(
            "div",
            _card("Calls to the provider", _provider(status, wording)),
            _card("Last failures", _failures(status, wording)),
            class_="pair",
        ),
    ]


def _sentence(status: ServiceStatus) -> Markup:
    concerns = status.concerns
    headline = counted(len(concerns), "thing needs", "things need") + " a look" if concerns else "All is well"
    text = f"{counted(status.users, 'user')}{' at least' if status.has_more else ''}, "
    text += f"{grouped(status.states.get('connected', 0))} connected."
    mark = FlowStatus.LATE_AT_US if concerns else FlowStatus.FLOWING
    return element(
        "section",
        marks(mark),
        element(
            "div",
            element("h1", headline),
            element("ul", [element("li", each) for each in concerns], class_="concerns")
            if concerns
            else None,
            element("p", text, class_="lead"),
        ),
        class_=f"hero {mark}",
    )


def _users(status: ServiceStatus) -> Markup:
    rows = [
        (
            joined(label, element("small", meaning)),
            *(grouped(states.get(name, 0)) for states in (status.states, *status.sources.values())),
        )
        for name, label, meaning in _STATES
    ]
    heads = ("State", "Users", *(f"At {provider.capitalize()}" for provider in status.sources))
    note = f"Counted: the first {counted(status.users, 'user')}, in the order of their ids."
    return joined(
        table("Users by the best state of their sources, and the sources of each provider", heads, rows),
        element("p", note, class_="note") if status.has_more else None,
    )


def _ages(status: ServiceStatus) -> Markup:
    most = max(status.ages.values(), default=0) or 1
    rows = [(name.capitalize(), _bar(count / most), grouped(count)) for name, count in status.ages.items()]
    return table("Connected users by the age of their newest reading", ("Age", "Share", "Users"), rows)


def _bar(share: float) -> Markup:
    """A bar; its number is in the row as well."""
    bar = element("rect", width=100 * share, height=10, rx=2, class_="on-time")
    return element(
        "svg", bar, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true", class_="gauge"
    )


def _queues(status: ServiceStatus) -> Markup:
    rows = [
        (
            joined(name.capitalize(), element("small", _QUEUES.get(name))),
            element("strong", grouped(level.given_up)) if level.given_up else "0",
            *(grouped(number) for number in (level.waiting, level.in_work, level.delayed)),
        )
        for name, level in status.queues.items()
    ]
    return joined(
        table("Messages of each queue", ("Queue", "Given up", "Waiting", "In work", "Delayed"), rows),
        element("p", "Messages that were given up stay for 14 days.", class_="note"),
    )


def _provider(status: ServiceStatus, wording: Wording) -> Markup:
    left = status.quota_renewed_at - wording.now
    rows = [
        ("Circuit breaker", "open: calls are stopped" if status.provider_is_down else "closed: calls pass"),
        ("Calls taken this hour", grouped(status.quota_taken)),
        ("Calls of an hour", grouped(status.quota_limit)),
        ("Share", percent(status.quota_percent)),
        ("Renewed in", duration(left)),
    ]
    return joined(
        table("Circuit breaker and quota", ("Measure", "Now"), rows),
        _bar(min(status.quota_percent, 100) / 100),
    )


def _failures(status: ServiceStatus, wording: Wording) -> Markup:
    if not status.failures:
        return element("p", "The last sync of each counted user has succeeded.", class_="muted")
    rows = [
        (
            joined(in_words(each.error).capitalize(), element("small", f"at {each.provider.capitalize()}")),
            grouped(each.users),
            wording.ago(each.newest_at),
        )
        for each in status.failures
    ]
    return table("Users whose last sync failed, by reason", ("Reason", "Users", "Newest"), rows)


def _card(title: str, content: Markup) -> Markup:
    return element("section", element("h2", title), content, class_="card status")
