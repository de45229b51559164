"""
Checks of a deployment from outside, in some seconds and without changing anything.

The function `canary` makes them on a schedule, and `make smoke` by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT_S = 10.0  # Per check; all of them fit into the timeout of the function.
_STRANGER = "smoke-check"  # A user id that need not exist.


@dataclass(frozen=True, slots=True)
class SmokeCheck:
    """One request, and what its response must be."""

    name: str
    path: str
    statuses: tuple[int, ...]
    method: str = "GET"
    holds: Callable[[httpx.Response], bool] = lambda _: True
    headers: dict[str, str] = field(default_factory=dict)

    def complaint(self, client: httpx.Client) -> str | None:
        """The reason why the response is wrong; None if it is right."""
        try:
            response = client.request(self.method, self.path, headers=self.headers)
        except httpx.HTTPError as error:
            return f"no response ({type(error).__name__})"
        if response.status_code not in self.statuses:
            return f"status {response.status_code} instead of {' or '.join(map(str, self.statuses))}"
        return None if self.holds(response) else "the response has another content"


def _is_problem(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith("application/problem+json")


CHECKS = (
    SmokeCheck("the service runs", "/health", (200,), holds=lambda it: bool(it.json().get("version"))),
    SmokeCheck("its tables and queues answer", "/ready", (200,)),
    SmokeCheck(
        "it describes itself", "/openapi.json", (200,), holds=lambda it: bool(it.json().get("openapi"))
    ),
    SmokeCheck("readings need a token", f"/api/bg/{_STRANGER}/latest", (401,)),
    SmokeCheck(
        "a forged token opens nothing",
        f"/api/bg/{_STRANGER}/latest",
        (401,),
        headers={"Authorization": "Bearer e30.e30.e30"},
    ),
    SmokeCheck("an unsigned webhook is rejected", f"/api/bg/{_STRANGER}/webhook", (401,), "POST"),
    SmokeCheck("an unknown route is a problem", "/no-such-route", (404,), holds=_is_problem),
    SmokeCheck(
        "another method is named", "/health", (405,), "DELETE", holds=lambda it: "allow" in it.headers
    ),
    SmokeCheck("HEAD is answered", "/health", (200,), "HEAD", holds=lambda it: not it.content),
)


def failures(client: httpx.Client, token: str | None) -> Iterator[tuple[str, str | None]]:
    """Each check with its complaint; with a token, also a read with it."""
    for check in CHECKS:
        yield check.name, check.complaint(client)
    if token:
        # A user's own token is refused for another user, and a service's token finds no readings.
        bearer = {"Authorization": f"Bearer {token}"}
        read = SmokeCheck("the token is accepted", f"/api/bg/{_STRANGER}/latest", (403, 404), headers=bearer)
        yield read.name, read.complaint(client)
