"""
Transport that resolves a host once, checks its IP addresses, and connects to one of those.

A name can have another IP address a second later (DNS rebinding). A check before the call would then be
about another machine than the call. Here the request goes to the checked IP address itself. The name stays in
the Host header, and the certificate is checked against it. One transport serves one host: httpx reuses
connections by IP address, so two hosts behind one address would share one.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.errors import CredentialsRefused
from bg_ingest.providers.nightscout.site_address import are_public

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ADDRESS_NOT_PUBLIC = "address-not-public"


def resolved(host: str, port: int) -> Sequence[str]:
    """All IP addresses of a host; raises httpx.ConnectError if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpx.ConnectError("the name of the host has no address") from None
    return [str(sockaddr[0]) for *_, sockaddr in found]


class PinnedTransport(httpx.BaseTransport):
    """Connects to public addresses only; for the calls to one host."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        resolve: Callable[[str, int], Sequence[str]] = resolved,
        *,
        any_address: bool = False,
    ) -> None:
        """`any_address` allows private addresses, for a development machine."""
        self._inner = inner
        self._resolve = resolve
        self._any_address = any_address

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to a checked address of its host."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = self._resolve(url.host, port)
        if not self._any_address and not are_public(addresses):
            raise CredentialsRefused(ADDRESS_NOT_PUBLIC)
        # The request itself stays as it is: a retry sends it again and resolves the host again.
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=addresses[0]),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions | {"sni_hostname": url.host},
        )
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
