"""
Who is to be called when somebody's data changes. Dexcom documents no such thing.

So the contract is our own, the client's: see bg_ingest/providers/dexcom/subscriptions.py. There is none of it
unless the simulator was given a path for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

SUBSCRIPTIONS_MAX = 10  # For one person.


@dataclass(frozen=True, slots=True)
class Subscription:
    """One address, called for one person's data."""

    id: str
    user: str
    url: str


class Subscriptions:
    """All of them; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made = 0
        self._kept: dict[str, Subscription] = {}

    def register(self, user: str, url: str) -> Subscription | None:
        """A new one, or the one there is for that address; None if the person has too many."""
        with self._lock:
            theirs = [kept for kept in self._kept.values() if kept.user == user]
            if known := next((kept for kept in theirs if kept.url == url), None):
                return known
            if len(theirs) >= SUBSCRIPTIONS_MAX:
                return None
            self._made += 1
            made = Subscription(f"sub-{self._made}", user, url)
            self._kept[made.id] = made
            return made

    def listed(self, user: str | None = None) -> list[Subscription]:
        """One person's, or everybody's, oldest first."""
        with self._lock:
            return [kept for kept in self._kept.values() if user in {None, kept.user}]

    def remove(self, user: str, subscription_id: str) -> bool:
        """Whether that person had it."""
        with self._lock:
            kept = self._kept.get(subscription_id)
            if kept is None or kept.user != user:
                return False
            del self._kept[subscription_id]
            return True

    def forget(self, user: str | None = None) -> None:
        """Without one person's, or all."""
        with self._lock:
            self._kept = {kept.id: kept for kept in self._kept.values() if user not in {None, kept.user}}
