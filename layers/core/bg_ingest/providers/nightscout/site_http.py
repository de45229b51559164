"""HTTP clients for servers of users: one for each call, and the pace of each host."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.http.admission import RateLimiter, RateRules
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.send import ignore_record
from bg_ingest.providers.nightscout.pinned_transport import PinnedTransport, resolved

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.admission import AdmissionControl
    from bg_ingest.providers.http.send import Observe

# Hosts whose pace and failures this process remembers; the one that was called longest ago is forgotten.
HOSTS_MAX = 1_000
# Such a server is a small machine at the user's expense: a history is read with ten calls.
PACE = RateRules(calls_max=30)
# A page is 2 MB at most. Two attempts: another follows with the next order.
SITE_POLICY = Policy(attempts_max=2, answer_bytes_max=8 * 1024 * 1024)


@dataclass(slots=True)
class SiteHttp:
    """
    Makes a client for the server at an address; the caller closes it.

    Clients are not kept. A process polls hundreds of servers, each every few minutes, and an idle connection
    to each would be wasted. The breaker of a host counts in this process only: a server serves one user, and
    its address must not be stored outside of that user's sealed login.
    """

    clock: Clock
    observe: Observe = ignore_record
    any_address: bool = False  # For a development machine: private addresses too.
    resolve: Callable[[str, int], Sequence[str]] = resolved
    inner: Callable[[], httpx.BaseTransport] | None = None
    policy: Policy = SITE_POLICY
    _tls: ssl.SSLContext | None = None
    _admissions: OrderedDict[str, AdmissionControl] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, address: str) -> httpx.Client:
        """A client whose base URL is this address."""
        pinned = PinnedTransport(self._new_inner(), self.resolve, any_address=self.any_address)
        return polite_http(
            address,
            self.clock,
            admission=self._admission(address),
            policy=self.policy,
            observe=self.observe,
            inner=pinned,
        )

    def _new_inner(self) -> httpx.BaseTransport:
        if self.inner:
            return self.inner()
        if self._tls is None:
            self._tls = httpx.create_ssl_context()  # Reading the certificates takes longer than a call.
        return httpx.HTTPTransport(verify=self._tls)

    def _admission(self, address: str) -> AdmissionControl:
        with self._lock:
            admission = self._admissions.pop(address, None)
            if admission is None:
                admission = admission_control(self.clock, rate_limiter=RateLimiter(self.clock, PACE))
            self._admissions[address] = admission
            while len(self._admissions) > HOSTS_MAX:
                self._admissions.popitem(last=False)
        return admission
