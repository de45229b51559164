"""The numbers of the operator's page, read from the stores and the queues."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import from_iso
from bg_ingest.facades.page.status_view import AGES, NO_DATA, FailureKind, QueueLevel, ServiceStatus
from bg_ingest.providers.http import quota
from bg_ingest.sync.user_sources import LISTED_ATTRIBUTES, newest_data, sources_of_users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table
    from bg_ingest.exporting.user_list import UserList
    from bg_ingest.sync.user_sources import ListedSource

USERS_COUNTED_MAX = 1_000
FAILURES_SHOWN = 8
# What the role of the function allows of the items of a source.
COUNTED = (*LISTED_ATTRIBUTES, "last_error")
_LEVELS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class StatusSources:
    """Where the numbers come from."""

    table: Table
    users: UserList
    sqs: Any
    queues: Mapping[str, tuple[str, str]]  # The addresses of each queue and of its dead-letter queue.
    provider_is_down: Callable[[], bool]
    calls_per_hour: int
    clock: Clock

    @classmethod
    def queues_of(cls, text: str) -> dict[str, tuple[str, str]]:
        """Parse the setting STATUS_QUEUES: `polls=https://…|https://…,bulk=…`."""
        named = (entry.partition("=") for entry in text.split(",") if entry)
        return {name: _two(addresses) for name, _, addresses in named}


def service_status(sources: StatusSources) -> ServiceStatus:
    """Read everything that the page shows."""
    now = sources.clock.now()
    user_ids = list(islice(sources.users.ids_after(), USERS_COUNTED_MAX + 1))
    counted = user_ids[:USERS_COUNTED_MAX]
    # The index can lag behind an erasure, so a counted user may be missing here.
    found = sources_of_users(sources.table, counted, sources.users.providers, COUNTED)
    every = [source for of_user in found.values() for source in of_user]
    polled = [
        [each for each in of_user if each.state is ConnectionState.CONNECTED] for of_user in found.values()
    ]
    by_provider: dict[str, Counter[str]] = {name: Counter() for name in sources.users.providers}
    for source in every:
        by_provider[source.provider][source.state] += 1
    hour = now.replace(minute=0, second=0, microsecond=0)
    taken = sources.table.get(quota.PK, f"{hour:%Y-%m-%dT%H}") or {"taken": 0}
    return ServiceStatus(
        at=now,
        users=len(found),
        has_more=len(user_ids) > len(counted),
        states=Counter(of_user[0].state for of_user in found.values()),
        sources=by_provider,
        ages=_ages(filter(None, polled), now),
        failures=_failures(every),
        queues={name: _level(sources.sqs, *addresses) for name, addresses in sources.queues.items()},
        quota_taken=taken["taken"],
        quota_limit=sources.calls_per_hour,
        quota_renewed_at=hour + quota.HOUR,
        provider_is_down=sources.provider_is_down(),
    )


def _ages(users: Iterable[Sequence[ListedSource]], now: datetime) -> dict[str, int]:
    ages = {name: 0 for name, _ in AGES} | {NO_DATA: 0}
    for connected in users:
        data_until = newest_data(connected)
        ages[_age_name(now - data_until) if data_until else NO_DATA] += 1
    return ages


def _age_name(age: timedelta) -> str:
    return next(name for name, longest in AGES if age <= longest)


def _failures(sources: Iterable[ListedSource]) -> list[FailureKind]:
    newest: dict[tuple[str, str], datetime] = {}
    users: Counter[tuple[str, str]] = Counter()  # A user has one source at most at each provider.
    for source in sources:
        if source.last_error:
            kind, at = (source.provider, source.last_error["type"]), from_iso(source.last_error["at"])
            users[kind] += 1
            newest[kind] = max(newest.get(kind, at), at)
    return [
        FailureKind(provider, error, count, newest[provider, error])
        for (provider, error), count in users.most_common(FAILURES_SHOWN)
    ]


def _level(sqs: Any, queue: str, dead_queue: str) -> QueueLevel:
    waiting, in_work, delayed = _numbers(sqs, queue)
    return QueueLevel(waiting, in_work, delayed, _numbers(sqs, dead_queue)[0])


def _numbers(sqs: Any, address: str) -> list[int]:
    answer = sqs.get_queue_attributes(QueueUrl=address, AttributeNames=list(_LEVELS))
    return [int(answer["Attributes"][name]) for name in _LEVELS]


def _two(addresses: str) -> tuple[str, str]:
    queue, _, dead_queue = addresses.partition("|")
    return queue, dead_queue
