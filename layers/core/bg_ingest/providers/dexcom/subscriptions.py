"""
Asking a provider to call us when there is new data.

Dexcom documents no such thing, so the contract is our own and the path is configuration:

    POST   {path}          {"url": "https://..."}    201 {"id": "...", "url": "https://..."}
    GET    {path}                                    200 {"subscriptions": [{"id": "...", "url": "..."}]}
    DELETE {path}/{id}                               204; 404 if there is none
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bg_ingest.providers.errors import ContractBroken, NotOffered
from bg_ingest.providers.http.call_record import Call
from bg_ingest.providers.http.send import bearer_header, parse_json_object, send
from bg_ingest.providers.http.statuses import error_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from bg_ingest.clock import Clock


@dataclass(frozen=True, slots=True)
class Subscription:
    """The provider calls `url` when one person's data changes."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """A person's subscriptions at a provider that has them; without a path every call raises NotOffered."""

    http: httpx.Client
    clock: Clock
    path: str | None
    time_left_s: Callable[[], float]
    account_key: str | None = None

    def register(self, access_token: str, url: str) -> Subscription:
        """Have `url` called from now on."""
        response = self._ask("POST", "subscribe", access_token, json={"url": url})
        return _subscription(parse_json_object(response, "subscribe"))

    def listed(self, access_token: str) -> tuple[Subscription, ...]:
        """What is registered."""
        answer = parse_json_object(self._ask("GET", "subscriptions", access_token), "subscriptions")
        listed = answer.get("subscriptions")
        if not isinstance(listed, list):
            raise ContractBroken("the answer has no subscriptions")
        return tuple(map(_subscription, listed))

    def remove(self, access_token: str, subscription_id: str) -> bool:
        """Have it called no more; False if there was no such subscription."""
        response = self._ask(
            "DELETE",
            "unsubscribe",
            access_token,
            below=f"/{quote(subscription_id, safe='')}",
            missing_ok=True,
        )
        return response.status_code != 404

    def _ask(
        self,
        method: str,
        operation: str,
        access_token: str,
        *,
        below: str = "",
        missing_ok: bool = False,
        **request: Any,
    ) -> httpx.Response:
        if self.path is None:
            raise NotOffered("this provider offers no webhook subscriptions: no path is configured")
        response = send(
            self.http,
            method,
            self.path + below,
            Call(operation, self.path, self.time_left_s, self.account_key),
            headers=bearer_header(access_token),
            **request,
        )
        refused = error_for(response, operation, self.clock.now())
        if refused and not (missing_ok and response.status_code == 404):
            raise refused
        return response


def _subscription(value: object) -> Subscription:
    match value:
        case {"id": str(id_), "url": str(url)}:
            return Subscription(id_, url)
    raise ContractBroken("a subscription without id or url")
