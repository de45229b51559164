"""
Webhook subscriptions at a provider that offers them.

Dexcom documents no such endpoint. The path is therefore configuration, and the contract is our own:

    POST   {path}          {"url": "https://..."}    201 {"id": "...", "url": "https://..."}
    GET    {path}                                    200 {"subscriptions": [{"id": "...", "url": "..."}]}
    DELETE {path}/{id}                               204; 404 if there is no such subscription
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bg_ingest.providers.errors import ContractBroken, NotOffered
from bg_ingest.providers.http.send import Call, bearer_header, parse_json_object, send

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook: the provider calls `url` when the account's data changes."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The subscriptions of one account; without a path every method raises NotOffered."""

    http: httpx.Client
    path: str | None
    time_left_s: Callable[[], float]
    account_key: str | None = None

    def register(self, access_token: str, url: str) -> Subscription:
        """Create a subscription."""
        response = self._send("POST", "subscribe", access_token, json={"url": url})
        return _subscription(parse_json_object(response, "subscribe"))

    def listed(self, access_token: str) -> tuple[Subscription, ...]:
        """The existing subscriptions."""
        document = parse_json_object(self._send("GET", "subscriptions", access_token), "subscriptions")
        listed = document.get("subscriptions")
        if not isinstance(listed, list):
            raise ContractBroken("the response has no list of subscriptions")
        return tuple(map(_subscription, listed))

    def remove(self, access_token: str, subscription_id: str) -> bool:
        """Delete a subscription; False if it did not exist."""
        suffix = f"/{quote(subscription_id, safe='')}"
        response = self._send("DELETE", "unsubscribe", access_token, accepted={404}, suffix=suffix)
        return response.status_code != 404

    def _send(
        self,
        method: str,
        operation: str,
        access_token: str,
        *,
        accepted: frozenset[int] | set[int] = frozenset(),
        **request: Any,
    ) -> httpx.Response:
        if self.path is None:
            raise NotOffered("this provider offers no webhook subscriptions: no path is configured")
        call = Call(operation, self.path, self.time_left_s, self.account_key, accepted)
        return send(self.http, method, call, headers=bearer_header(access_token), **request)


def _subscription(value: object) -> Subscription:
    match value:
        case {"id": str(id_), "url": str(url)}:
            return Subscription(id_, url)
    raise ContractBroken("a subscription in the response has no id or no url")
