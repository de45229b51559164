from __future__ import annotations

from dataclasses import dataclass, field

import httpx
import pytest

from bg_ingest.providers.errors import CredentialsRefused, Unavailable
from bg_ingest.providers.http.send import Call, send
from bg_ingest.providers.nightscout.pinned_transport import PinnedTransport, resolved
from bg_ingest.providers.nightscout.site_http import HOSTS_MAX, SiteHttp
from tests.support.fakes import FakeClock

PUBLIC, OTHER_PUBLIC, PRIVATE = "93.184.215.14", "93.184.215.15", "10.0.0.1"
CALL = Call("nightscout_entries", "/api/v1/entries.json")


@dataclass
class RecordingTransport(httpx.BaseTransport):
    """Answers each request, and remembers where it went."""

    responses: list[httpx.Response] = field(default_factory=list)
    seen: list[httpx.Request] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The next response."""
        self.seen.append(request)
        return self.responses.pop(0) if self.responses else httpx.Response(200, json=[])


def client(inner: RecordingTransport, *answers: list[str]) -> httpx.Client:
    """A client whose host has these addresses, one list for each time it is resolved."""
    left = list(answers)
    http = SiteHttp(FakeClock(), resolve=lambda _, __: left.pop(0), inner=lambda: inner)
    return http("https://ns.example.org:8443")


def test_the_request_goes_to_the_address_that_was_checked() -> None:
    """The connection is made to the IP address; the name stays in the Host header and for the certificate."""
    inner = RecordingTransport()
    send(client(inner, [PUBLIC]), "GET", CALL)
    (request,) = inner.seen

    assert (request.url.host, request.url.port) == (PUBLIC, 8443)
    assert request.headers["host"] == "ns.example.org:8443"
    assert request.extensions["sni_hostname"] == "ns.example.org"


def test_a_name_that_is_rebound_after_the_check_is_not_called() -> None:
    """The host is resolved once for each request, and that address is both checked and used."""
    inner = RecordingTransport()
    http = client(inner, [PUBLIC], [PRIVATE])
    send(http, "GET", CALL)

    with pytest.raises(CredentialsRefused, match="address-not-public"):
        send(http, "GET", CALL)
    assert [request.url.host for request in inner.seen] == [PUBLIC]


def test_a_retry_resolves_the_host_again() -> None:
    """The second attempt goes to the address of that time."""
    inner = RecordingTransport([httpx.Response(503)])
    send(client(inner, [PUBLIC], [OTHER_PUBLIC]), "GET", CALL)

    assert [request.url.host for request in inner.seen] == [PUBLIC, OTHER_PUBLIC]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The address it leads to is never called."""
    moved = [httpx.Response(status, headers={"location": "http://169.254.169.254/"}) for _ in range(2)]
    inner = RecordingTransport(moved)

    with pytest.raises(Unavailable):
        send(client(inner, [PUBLIC], [PUBLIC]), "GET", CALL)
    assert {request.url.host for request in inner.seen} == {PUBLIC}


def test_a_name_without_an_address_is_a_failure_of_the_server() -> None:
    """A retry can help, so the call fails as unavailable."""
    transport = PinnedTransport(RecordingTransport(), resolved)

    with pytest.raises(httpx.ConnectError):
        transport.handle_request(httpx.Request("GET", f"https://{'a' * 70}.example"))


def test_a_development_machine_may_call_itself() -> None:
    """With `any_address` a private address is called."""
    inner = RecordingTransport()
    http = SiteHttp(FakeClock(), any_address=True, resolve=lambda _, __: ["127.0.0.1"], inner=lambda: inner)
    send(http("http://127.0.0.1:5003"), "GET", CALL)

    assert inner.seen[0].url.host == "127.0.0.1"


def test_each_host_has_a_pace_of_its_own() -> None:
    """A host that answers 429 does not slow another one, and few of many hosts are remembered."""
    inner = RecordingTransport([httpx.Response(429)] * 2)
    clock = FakeClock()
    http = SiteHttp(clock, resolve=lambda _, __: [PUBLIC], inner=lambda: inner)
    with pytest.raises(Exception, match="429"):
        send(http("https://one.example.org"), "GET", CALL)
    before = clock.now()
    send(http("https://two.example.org"), "GET", CALL)

    assert clock.now() == before
    for number in range(HOSTS_MAX + 5):
        http(f"https://{number}.example.org")
    assert len(http._admissions) == HOSTS_MAX  # noqa: SLF001 - the bound is the claim.


def test_a_client_has_certificates_and_no_cookie_or_redirect() -> None:
    """The clients of a process share one TLS context, which checks certificates."""
    http = SiteHttp(FakeClock())
    first, second = http("https://one.example.org"), http("https://two.example.org")

    assert not first.follow_redirects
    assert http._tls is not None  # noqa: SLF001 - it is made at the first use.
    assert http._tls.check_hostname  # noqa: SLF001 - as above.
    first.close()
    second.close()
