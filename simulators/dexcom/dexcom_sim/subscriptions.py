"""
Webhook subscriptions: the addresses to notify when a user's data changes.

Dexcom documents no subscriptions. The simulator offers them only if it was started with a path for them, and
then by a contract of its own (see README.md). It stores subscriptions and sends no notifications.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SUBSCRIPTIONS_MAX = 10  # Per user.


@dataclass(frozen=True, slots=True)
class WebhookSubscription:
    """One address to notify about one user's data."""

    id: str
    user: str
    url: str


class WebhookSubscriptions:
    """All subscriptions. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._created = 0
        self._by_id: dict[str, WebhookSubscription] = {}

    def register(self, user: str, url: str) -> WebhookSubscription | None:
        """Create a subscription, or return the one of this address; None if the user has too many."""
        with self._lock:
            existing = [each for each in self._by_id.values() if each.user == user]
            if same := next((each for each in existing if each.url == url), None):
                return same
            if len(existing) >= SUBSCRIPTIONS_MAX:
                return None
            self._created += 1
            created = WebhookSubscription(f"sub-{self._created}", user, url)
            self._by_id[created.id] = created
            return created

    def listed(self, user: str | None = None) -> list[WebhookSubscription]:
        """The subscriptions of one user, or of all users, oldest first."""
        with self._lock:
            return [each for each in self._by_id.values() if user in {None, each.user}]

    def remove(self, user: str, subscription_id: str) -> bool:
        """Remove a user's subscription; False if the user has no such subscription."""
        with self._lock:
            found = self._by_id.get(subscription_id)
            if found is None or found.user != user:
                return False
            del self._by_id[subscription_id]
            return True

    def restore(self, saved: Sequence[WebhookSubscription]) -> None:
        """Continue with the subscriptions that were saved, which `listed` returned."""
        with self._lock:
            self._by_id = {each.id: each for each in saved}
            self._created = max((int(each.id.removeprefix("sub-")) for each in saved), default=0)

    def clear(self, user: str | None = None) -> None:
        """Remove the subscriptions of one user, or of all users."""
        with self._lock:
            self._by_id = {each.id: each for each in self._by_id.values() if user not in {None, each.user}}
